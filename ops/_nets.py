"""The weights that a user means, a recipe's, a file, or a version in MLflow's registry, and where results may go."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from pipeline.core.types import Refusal
from stages.shared.dvc import declared, load


def writable(out: Path, suffix: str = "", *, folder: bool = False) -> None:
    """Raise Refusal where ``out`` cannot be written, or is not called ``suffix``, before seconds of imports."""
    kind = "folder" if folder else "file"
    if not out.name.endswith(suffix):
        raise Refusal(f"{out} is not called {suffix}: name another file")
    try:
        if out.exists() and not (out.is_dir() if folder else out.is_file()):
            raise Refusal(f"{out} is no {kind}: name another {kind}")
        place = out.resolve() if folder else out.resolve().with_name(f".{out.name}.partial")  # as files.replacing does
        with tempfile.TemporaryFile(dir=next(each for each in (place, *place.parents) if each.exists())):
            pass
    except OSError as error:
        raise Refusal(f"{out} cannot be written ({str(error.strerror).lower()}): name another {kind}") from None


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
            from pipeline.registry.champion import download  # MLflow takes seconds to import

            yield download(root, registry, Path(folder))


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
