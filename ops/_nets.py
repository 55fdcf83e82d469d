"""The weights that a user means: a recipe's, a file, or a version in MLflow's registry."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from pipeline.core.types import Refusal
from stages.shared.dvc import declared, load

CHAMPION = "champion"


def options(command: Callable[..., None]) -> Callable[..., None]:
    """The options by which ``weights`` chooses in place of a recipe, for a click command."""
    registry = click.option("--registry", metavar="NAME[@ALIAS]", help="A model in MLflow's registry, or its champion.")
    model = click.option("--model", type=click.Path(path_type=Path), help="A model.safetensors.")
    return model(registry(command))


@contextmanager
def weights(root: Path, recipe: str | None, model: Path | None, registry: str | None) -> Iterator[Path]:
    """The one of three that is given, as a file that is there until the block ends.

    Raises Refusal where none or several are, for a recipe that params.yaml lacks, and for what is not registered.
    """
    given = [choice for choice in (recipe, model, registry) if choice]
    if len(given) != 1:
        raise Refusal(f"say which net, with one of {_offer(root)}--model FILE or --registry NAME@ALIAS")
    if recipe:
        declared(f"evaluate@{recipe}", root)  # refuses a name that is not there by telling which are
        yield root / "runs" / recipe / "model.safetensors"
    elif model:
        yield model
    elif registry:
        with tempfile.TemporaryDirectory(prefix="fcn-registry-") as folder:
            yield _registered(root, registry, Path(folder))


def threads(root: Path) -> int:
    """As many as evaluation ran with, so that labels are evaluation's to the bit; elsewhere, all cores."""
    params = root / "params.yaml"
    return int(load(params)["runtime"]["threads"]) if params.is_file() else os.cpu_count() or 1


def _offer(root: Path) -> str:
    """The trained recipe with the best mean IU of each data set."""
    best: dict[str, tuple[float, str]] = {}
    params = root / "params.yaml"
    recipes = load(params)["recipes"] if params.is_file() else {}
    for name, row in recipes.items():
        metrics = root / "eval" / name / "metrics.json"
        if metrics.is_file() and (root / "runs" / name / "model.safetensors").is_file():
            heads = json.loads(metrics.read_text(encoding="utf-8"))
            score = heads[row["net"].get("heads", ["semantic"])[0]]["mean_iu"]
            split = f"{row['evaluate']['shards']}/{row['evaluate']['split']}"
            best[split] = max(best.get(split, (0.0, name)), (score, name))
    return "".join(f"--recipe {name} (best on {split}: mean IU {iu:.3f}), " for split, (iu, name) in best.items())


def _registered(root: Path, name: str, folder: Path) -> Path:
    """Download a version's weights: NAME (the champion), NAME@ALIAS or NAME/VERSION."""
    from pipeline.tracking.connect import connect  # loads MLflow, 3.5 s

    client, _ = connect(root)
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    uri = f"models:/{name if '@' in name or '/' in name else f'{name}@{CHAMPION}'}"
    store = {"tracking_uri": client.tracking_uri, "registry_uri": client.tracking_uri}
    try:
        local = download_artifacts(artifact_uri=uri, dst_path=str(folder), **store)
    except MlflowException as error:
        raise Refusal(f"{uri} is not to be had ({str(error).splitlines()[0]}): register it, or name another") from None
    found = sorted(Path(local).rglob("artifacts/*.safetensors"))
    if not found:
        raise Refusal(f"{uri} holds no weights of this pipeline: register a model that fcn saved")
    return found[0]
