"""The MLflow model, pictures of any sizes to label maps: this file lies in every saved model, and loading runs it."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline import determinism

# determinism pins torch's kernels, so torch comes after it
# isort: split
import mlflow
import numpy as np
import pandas as pd
import torch
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from pipeline.core.types import LabelSpec, Refusal
from pipeline.fcn.net import build
from pipeline.serving import paint, picture
from pipeline.serving.segment import Images, Segmenter

assert determinism.PINS  # imported for what it sets


class LabelMaps(PythonModel):
    """A row of pictures in, a row of label maps out, every one of its picture's own size.

    The columns in are the net's inputs (``color``; NYUDv2's nets also ``hha`` or ``depth``), each cell an encoded
    picture: bytes, in JSON base64; or an array, H×W×3 uint8 RGB (a depth H×W uint16 millimetres). The columns out are
    the heads: H×W uint8 class indices, or with ``format`` png the bytes of a palette PNG. ``head`` leaves one of them.

    Of the ``model_config``, ``device`` is cpu, cuda or auto (a GPU where there is one), ``threads`` a CPU's: with the
    number that evaluation ran with, scores are those of evaluation to the bit; null leaves torch's own. ``tile`` is
    the side of tiles in pixels, 0 for none, null for what memory needs.
    """

    def load_context(self, context: PythonModelContext) -> None:
        config = context.model_config or {}
        device = config.get("device", "auto")
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.threads = config.get("threads")
        net = build(Path(context.artifacts["model"]))
        self.segmenter = Segmenter(net, torch.device(device), config.get("tile"))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        chosen = params or {}
        try:
            return self._labelled(model_input, chosen.get("format", "array"), chosen.get("head", "all"))
        except Refusal as refusal:
            raise MlflowException(str(refusal), error_code=INVALID_PARAMETER_VALUE) from None

    def _labelled(self, frame: pd.DataFrame, form: str, head: str) -> pd.DataFrame:
        heads = self.segmenter.heads
        if form not in ("array", "png"):
            raise Refusal(f"format is {form!r}: choose array or png")
        if head not in ("all", *heads):
            raise Refusal(f"head is {head!r}: choose all, {' or '.join(heads)}")
        if missing := [column for column in self.segmenter.net.spec.inputs if column not in frame]:
            raise Refusal(f"the column {', '.join(missing)} is missing: there are {', '.join(map(str, frame))}")
        wanted = list(heads) if head == "all" else [head]
        rows: list[dict[str, Any]] = []
        with _threads(self.threads):
            for number, row in enumerate(frame.to_dict("records")):
                labels = self.segmenter(self._images(row, number), f"image {number}")
                rows.append({name: _told(labels[name], form, heads[name]) for name in wanted})
        return pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=object) for name in wanted})

    def _images(self, row: Mapping[Any, Any], number: int) -> Images:
        columns = self.segmenter.net.spec.inputs
        return {column: _pixels(row[column], f"image {number} ({column})", column) for column in columns}


def _pixels(cell: Any, name: str, column: str) -> Any:
    if isinstance(cell, np.ndarray):
        return cell
    if not isinstance(cell, str | bytes | bytearray):
        raise Refusal(f"{name} is a {type(cell).__name__}: send a picture's bytes, in JSON as base64, or its pixels")
    encoded = cell.encode() if isinstance(cell, str) else bytes(cell)
    with suppress(ValueError):  # MLflow decodes a dataframe's base64 but not that of inputs and instances
        encoded = base64.b64decode(encoded, validate=True)  # which no picture's own bytes can be taken for
    return picture.read(encoded, name, column)


def _told(label: paint.Pixels, form: str, spec: LabelSpec) -> paint.Pixels | bytes:
    return paint.png(label, spec) if form == "png" else label


@contextmanager
def _threads(number: int | None) -> Iterator[None]:
    """torch's CPU threads are those of the process, and others may share it."""
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


mlflow.models.set_model(LabelMaps())
