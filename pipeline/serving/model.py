"""The MLflow model, pictures of any sizes to label maps: this file lies in every saved model, and loading runs it."""

import base64
from contextlib import suppress
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel, PythonModelContext

import pipeline
from pipeline.core.types import Refusal
from pipeline.fcn.net import build
from pipeline.serving import device, label, picture
from pipeline.serving.segment import Segmenter

assert pipeline.PINS  # imported for what it sets


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
        self.threads = config.get("threads")
        net = build(Path(context.artifacts["model"]))
        self.segmenter = Segmenter(net, device.chosen(config.get("device", "auto")), config.get("tile"))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        chosen = params or {}
        try:
            return self._labelled(model_input, chosen.get("format", "array"), chosen.get("head", "all"))
        except Refusal as refusal:
            raise MlflowException(str(refusal), error_code=INVALID_PARAMETER_VALUE) from None

    def _labelled(self, frame: pd.DataFrame, form: str, head: str) -> pd.DataFrame:
        heads, columns = self.segmenter.heads, self.segmenter.net.spec.inputs
        if form not in ("array", "png"):
            raise Refusal(f"format is {form!r}: choose array or png")
        if head not in ("all", *heads):
            raise Refusal(f"head is {head!r}: choose all, {' or '.join(heads)}")
        if missing := [column for column in columns if column not in frame]:
            raise Refusal(f"the column {', '.join(missing)} is missing: there are {', '.join(map(str, frame))}")
        wanted = list(heads) if head == "all" else [head]
        rows: list[list[Any]] = []
        with device.threads(self.threads):
            for number, row in enumerate(frame.to_dict("records")):
                name = f"image {number}"
                images = {column: _pixels(row[column], f"{name} ({column})", column) for column in columns}
                labels = self.segmenter(images, name)
                rows.append([label.png(labels[of], heads[of]) if form == "png" else labels[of] for of in wanted])
        found = zip(*rows, strict=True) if rows else [[] for _ in wanted]
        return pd.DataFrame({of: pd.Series(list(maps), dtype=object) for of, maps in zip(wanted, found, strict=True)})


def _pixels(cell: Any, name: str, column: str) -> Any:
    if isinstance(cell, np.ndarray):
        return cell
    if not isinstance(cell, str | bytes | bytearray):
        raise Refusal(f"{name} is a {type(cell).__name__}: send a picture's bytes, in JSON as base64, or its pixels")
    encoded = cell.encode() if isinstance(cell, str) else bytes(cell)
    with suppress(ValueError):  # MLflow decodes a dataframe's base64 but not that of inputs and instances
        encoded = base64.b64decode(encoded, validate=True)  # which no picture's own bytes can be taken for
    return picture.read(encoded, name, column)


mlflow.models.set_model(LabelMaps())
