"""The Python that runs stages: they say `python` and mean this one."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def first(environment: Mapping[str, str]) -> dict[str, str]:
    """``environment`` with this Python's folder first in its PATH."""
    path = environment.get("PATH", os.defpath)
    return {**environment, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{path}"}
