"""Score what a training kept on its validation split; run: python -m stages.validate voc-fcn32s sbd/validation."""

from pathlib import Path

import click

from pipeline import determinism
from pipeline.core.types import Refusal
from pipeline.prediction.validate import validate
from pipeline.runtime import distributed
from stages._live import watched
from stages.shared.dvc import declared
from stages.shared.fingerprint import fingerprint
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("recipe")
@click.argument("split")
def main(recipe: str, split: str) -> None:
    """Write eval/RECIPE/milestones.tsv: the scores of runs/RECIPE/milestones/ on SPLIT, a dataset/split."""
    params = declared(f"validate@{recipe}")
    judged = params[f"recipes.{recipe}.evaluate"]
    if split == f"{judged['shards']}/{judged['split']}":
        raise Refusal(f"validations.{recipe} names {split}, on which {recipe} is evaluated: choose by another split")
    device = distributed.local(determinism.start(params["runtime"]))
    out = Path("eval", recipe, "milestones.tsv")
    with watched(fingerprint(params, device), [out], say=click.echo) as observer:
        validate(Path("runs", recipe, "milestones"), Path("data/shards", split), out, device, observer)


if __name__ == "__main__":
    main()
