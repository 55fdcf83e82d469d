"""Train a recipe's net, alone or as one of torchrun's processes; run: python -m stages.train voc-fcn32s."""

from functools import partial
from pathlib import Path

import click
from tqdm import tqdm

from pipeline import determinism
from pipeline.runtime import distributed
from pipeline.training import resume
from pipeline.training.recipe import parse
from pipeline.training.train import train
from pipeline.watching.watch import watch
from stages._live import validation, watched
from stages.shared.dvc import declared
from stages.shared.fingerprint import fingerprint
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("recipe")
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    envvar="FCN_WORKERS",
    help="Threads that decode samples; the bytes are the same. Also $FCN_WORKERS.",
)
def main(recipe: str, workers: int) -> None:
    """Write runs/RECIPE/model.safetensors, its milestones/ and eval/RECIPE/history.tsv; a killed run goes on."""
    params = declared(f"train@{recipe}")
    runtime = params["runtime"]
    device = distributed.local(determinism.start(runtime, runtime["precision"]))
    with distributed.joined(device) as group, resume.noticed() as asked:
        row = parse(recipe, params[f"recipes.{recipe}"])
        mark, shards = fingerprint(params, device), Path("data/shards", row.data.shards, row.data.split)
        model, history = Path("runs", recipe, "model.safetensors"), Path("eval", recipe, "history.tsv")
        snapshots = resume.opened(mark, asked=lambda: any(group.gather(asked())), say=say, writes=group.leads)
        with watched(mark, [model, history], say=say, leads=group.leads) as observer:
            train(
                row,
                shards=shards,
                init=Path(row.net.init),
                model=model,
                history=history,
                milestones=model.with_name("milestones"),
                device=device,
                say=say,
                precision=runtime["precision"],
                snapshots=snapshots,
                group=group,
                workers=workers,
                watch=partial(watch, observer, shards, hopeful=row.net.start == "init", validation=validation(recipe))
                if observer
                else None,
            )


def say(line: str) -> None:
    """Print above the bar."""
    with tqdm.external_write_mode():
        click.echo(line)


if __name__ == "__main__":
    main()
