"""A registry to try: models as small as MLflow takes, and what a reader sees of them."""

import hashlib
import tempfile
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts

from pipeline.registry import champion
from pipeline.registry.champion import Move

NAME = "fcn-voc"


def run(client: MlflowClient, experiment: str) -> str:
    made = client.create_run(experiment, tags={"dvc.stage": "train@voc-fcn8s", "dvc.inputs": "i1"})
    client.set_terminated(made.info.run_id)
    return str(made.info.run_id)


def model(folder: Path, weights: str) -> str:
    """Write a folder with the files of a model; returns the md5 of its weights."""
    folder.mkdir(parents=True)
    for name in ("weights.bin", "MLmodel", "model.py"):
        (folder / name).write_text(weights)
    return hashlib.md5(weights.encode()).hexdigest()


def judged(mean_iu: float, champion: str = "", passed: bool = True) -> dict[str, Any]:
    """What gate.json holds, as far as the registry reads it."""
    check = {"name": "floor", "head": "semantic", "judged": True, "passed": passed, "reason": f"mean IU {mean_iu}"}
    return {
        "passed": passed,
        "checks": [check],
        "metrics": {"semantic": {"mean_iu": mean_iu}, "ids_sha256": "abc", "scale": "miniature"},
        "champion": {"version": champion, "metrics": {}} if champion else None,
    }


def promote(
    client: MlflowClient, run_id: str, weights: str, gate: dict[str, Any] | None = None, **tags: str
) -> tuple[str, Move | None]:
    """Promote a model of these weights, judged against the champion of this moment unless ``gate`` is given."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        tags = {"weights.md5": model(folder, weights), "recipe": "voc-fcn8s", "semantic/mean_iu": "0.5", **tags}
        gate = gate or judged(0.5, champion.history(client, NAME).champion)
        return champion.promote(client, NAME, folder, run=client.get_run(run_id), tags=tags, gate=gate, who="ada")


def aliases(client: MlflowClient) -> tuple[str, str]:
    """Where champion and previous point, "" where they do not."""
    found = client.get_registered_model(NAME).aliases
    return str(found.get("champion", "")), str(found.get("previous", ""))


def whole(client: MlflowClient, number: str) -> bool:
    """Whether all of a version's files are there, with the weights that its tag names."""
    found = client.get_model_version(NAME, number)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(download_artifacts(found.source, dst_path=folder, tracking_uri=client.tracking_uri))
        names = {file.name for file in path.iterdir()}
        weights = (path / "weights.bin").read_bytes()
        return (
            names == {"MLmodel", "model.py", "weights.bin", champion.METRICS, champion.GATE}
            and hashlib.md5(weights).hexdigest() == found.tags[champion.WEIGHTS]
            and found.status == "READY"
        )
