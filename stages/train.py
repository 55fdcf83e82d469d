"""Train a recipe's net, alone or as one of torchrun's processes; run: python -m stages.train voc-fcn32s."""

from __future__ import annotations

from pathlib import Path

import click
from tqdm import tqdm

from pipeline.runtime import determinism, distributed
from pipeline.training import resume, signals
from pipeline.training.recipe import parse
from pipeline.training.train import train
from stages._fingerprint import fingerprint
from stages._live import watched
from stages._params import declared
from stages._stage import Stage


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
    """Write runs/RECIPE/model.safetensors and history.tsv, from the newest snapshot if one was killed."""
    params = declared("train", recipe)
    device = distributed.local(determinism.start(params.row("runtime")))
    with distributed.joined(device) as group, signals.noticed() as asked:
        row = parse(recipe, params.row(f"recipes.{recipe}"))
        mark, out = fingerprint(params, device), Path("runs", recipe)
        snapshots = resume.opened(mark, asked=lambda: any(group.gather(asked())), say=say, writes=group.leads)
        outs = [out / "model.safetensors", out / "history.tsv"]
        with watched(mark, outs, say=say, leads=group.leads) as observer:
            train(
                row,
                shards=Path("data/shards", row.train),
                init=Path(row.init),
                out=out,
                device=device,
                say=say,
                precision=params["runtime.precision"],
                snapshots=snapshots,
                group=group,
                workers=workers,
                observer=observer,
            )


def say(line: str) -> None:
    """Print above the bar."""
    with tqdm.external_write_mode():
        click.echo(line)


if __name__ == "__main__":
    main()
