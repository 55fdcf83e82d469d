"""Put a net into a folder that MLflow serves: weights, code, what it needs, and what it takes and gives."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pipeline.core.files import replacing, write_json
from pipeline.spec import NetSpec
from pipeline.weights import checkpoint

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

# What MLflow reads when it is imported, which happens below: it takes 3 s
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # two bars for copying files

CODE = Path(__file__).parents[1]  # pipeline/
NEEDED = ("mlflow", "numpy", "pandas", "pillow", "psutil", "pyarrow", "safetensors", "torch", "tqdm")
CONFIG = {"device": "auto", "threads": 1, "tile": None}  # see model.LabelMaps
WEIGHTS, CLASSES = "model", "classes"  # keys of artifacts; a caller's files bear others
NOISE = ".*(Any type hint is inferred|An input example was not provided)"  # of MLflow's own types, of no use here


def save(weights: Path, folder: Path, *, files: Mapping[str, Path] = MappingProxyType({})) -> None:
    """Write the MLflow model of the net in ``weights`` to ``folder``, in place of what is there.

    It holds the weights with their spec, the classes and colours as classes.json, this library, and ``files``, each
    under its own name in artifacts/ and known to MLflow by its key. Nothing in it is a pickle.

    Raises Refusal where ``weights`` are not this pipeline's.
    """
    spec, _ = checkpoint.load(weights)
    with (
        tempfile.TemporaryDirectory(prefix="fcn-model-") as scratch,
        replacing(folder) as model,
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message=NOISE)
        import mlflow

        classes, code = Path(scratch, "classes.json"), Path(scratch, CODE.name)
        write_json(classes, {head: label.to_json() for head, label in spec.heads.items()})
        shutil.copytree(CODE, code, ignore=shutil.ignore_patterns("__pycache__", "miniature"))
        mlflow.pyfunc.save_model(
            path=model,
            python_model=str(CODE / "serving/model.py"),
            artifacts={key: str(path) for key, path in {**files, WEIGHTS: weights, CLASSES: classes}.items()},
            code_paths=[str(code)],
            signature=signature(spec),
            pip_requirements=[f"{name}=={version(name).split('+')[0]}" for name in NEEDED],
            model_config=CONFIG,
        )


def signature(spec: NetSpec) -> ModelSignature:
    """A picture per input, as encoded bytes (base64 in JSON), so that rows may differ in size.

    A tensor's schema would take arrays of any size, but only a batch of one size, and 3 MB of JSON for 375×500 pixels.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import AnyType

    params: list[Any] = [ParamSpec("format", DataType.string, "array"), ParamSpec("head", DataType.string, "all")]
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.binary, column) for column in spec.inputs]),
        outputs=Schema([ColSpec(AnyType(), head) for head in spec.heads]),
        params=ParamSchema(params),
    )
