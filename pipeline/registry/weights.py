"""The weights of a version in MLflow's registry."""

from __future__ import annotations

from pathlib import Path

from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException

from pipeline.core.types import Refusal
from pipeline.registry.champion import ALIAS
from pipeline.tracking.connect import connect


def download(root: Path, name: str, folder: Path) -> Path:
    """The weights file of NAME (the champion), NAME@ALIAS or NAME/VERSION, in ``folder``. Raises Refusal."""
    store = connect(root)[0].tracking_uri
    uri = f"models:/{name if '@' in name or '/' in name else f'{name}@{ALIAS}'}"
    try:
        local = download_artifacts(artifact_uri=uri, dst_path=str(folder), tracking_uri=store, registry_uri=store)
    except MlflowException as error:
        raise Refusal(f"{uri} is not to be had ({str(error).splitlines()[0]}): register it, or name another") from None
    found = sorted(Path(local).rglob("artifacts/*.safetensors"))
    if not found:
        raise Refusal(f"{uri} holds no weights of this pipeline: register a model that fcn saved")
    return found[0]
