"""Put a net into a folder that MLflow serves: weights, code, what it needs, and what it takes and gives."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # two bars for copying files

# mlflow comes after what it reads when it is imported
# isort: split
import mlflow
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import AnyType

from pipeline.core.files import replacing, write_json
from pipeline.spec import NetSpec
from pipeline.weights import checkpoint

CODE = Path(__file__).parents[1]  # pipeline/
NEEDED = ("mlflow", "numpy", "pandas", "pillow", "pyarrow", "safetensors", "torch", "tqdm")
CONFIG = {"device": "auto", "threads": 1, "tile": None}  # see model.LabelMaps
WEIGHTS, CLASSES = "model", "classes"  # keys of artifacts; a caller's files bear others


def save(weights: Path, folder: Path, *, files: Mapping[str, Path] = MappingProxyType({})) -> None:
    """Write the MLflow model of the net in ``weights`` to ``folder``, in place of what is there.

    It holds the weights with their spec, the classes and colours as classes.json, this library, and ``files``, each
    under its own name in artifacts/ and known to MLflow by its key. Nothing in it is a pickle.

    Raises Refusal where ``weights`` are not this pipeline's.
    """
    spec, _ = checkpoint.load(weights)
    with tempfile.TemporaryDirectory(prefix="fcn-model-") as scratch, replacing(folder) as model, _quiet():
        mlflow.pyfunc.save_model(
            path=model,
            python_model=str(CODE / "serving/model.py"),
            artifacts={name: str(path) for name, path in files.items()}
            | {WEIGHTS: str(weights), CLASSES: str(_classes(spec, Path(scratch)))},
            code_paths=[str(_code(Path(scratch)))],
            signature=signature(spec),
            pip_requirements=[f"{name}=={version(name).split('+')[0]}" for name in NEEDED],
            model_config=CONFIG,
        )


def signature(spec: NetSpec) -> ModelSignature:
    """A picture per input, as encoded bytes (base64 in JSON), so that rows may differ in size.

    A tensor's schema would take arrays of any size, but only a batch of one size, and 3 MB of JSON for 375×500 pixels.
    """
    params: list[Any] = [ParamSpec("format", DataType.string, "array"), ParamSpec("head", DataType.string, "all")]
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.binary, column) for column in spec.inputs]),
        outputs=Schema([ColSpec(AnyType(), head) for head in spec.heads]),
        params=ParamSchema(params),
    )


def _classes(spec: NetSpec, scratch: Path) -> Path:
    path = scratch / "classes.json"
    write_json(path, {head: label.to_json() for head, label in spec.heads.items()})
    return path


def _code(scratch: Path) -> Path:
    shutil.copytree(CODE, scratch / CODE.name, ignore=shutil.ignore_patterns("__pycache__", "miniature"))
    return scratch / CODE.name


@contextmanager
def _quiet() -> Iterator[None]:
    """Without MLflow's words about its own types, and about an example, which a given signature does not need."""
    with warnings.catch_warnings():
        for message in ("Any type hint is inferred", "An input example was not provided"):
            warnings.filterwarnings("ignore", message=f".*{message}")
        yield
