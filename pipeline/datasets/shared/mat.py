"""Read a variable out of a MATLAB v5 file."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from pipeline.core.types import Refusal


def variable(file: bytes, name: str, where: str) -> NDArray[Any]:
    """The array ``name``, such as ``S``, or a field of a struct, ``GTcls.Segmentation``; Refusal naming ``where``."""
    first, *rest = name.split(".")
    try:
        found = loadmat(io.BytesIO(file), variable_names=[first])[first]
        for field in rest:
            found = found[field][0, 0]
    except Exception as error:  # a broken file makes scipy raise nearly anything
        raise Refusal(f"{where} has no readable {name} ({' '.join(str(error).split())}): fetch it again") from None
    return np.asarray(found)
