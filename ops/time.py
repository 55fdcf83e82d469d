"""Time the nets' inference: fcn time voc-fcn8s, or fcn time --table1."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import click
from tqdm import tqdm

from ops import _nets
from pipeline.core.types import Refusal
from stages.shared.stage import Stage

OUT = Path("times.json")
SMALLEST = 32  # pixels: the coarsest cell of a smaller image may lie outside of it


@click.command(cls=Stage)
@click.argument("recipes", nargs=-1, metavar="[RECIPE]…")
@click.option("--table1", is_flag=True, help="The paper's own nets at full size, with random weights.")
@click.option("--size", default="500x500", show_default=True, help="Of the image, across x down, in pixels.")
@click.option("--repeats", default=20, show_default=True, type=click.IntRange(min=1), help="Passes that are timed.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
def main(recipes: tuple[str, ...], table1: bool, size: str, repeats: int, device: str) -> None:
    """Time the forward pass of one image by each RECIPE's net (every trained one, where none is named).

    As in the paper's Table 1: the mean of 20 passes over an image that is already on the device. Memory is the most
    that the passes held, weights included: on a GPU what torch allocated, on a CPU what was resident in a process of
    the net's own, less what it held before. The table is printed, times.json holds it, and each net gets a run in
    MLflow where there is one.
    """
    written = re.fullmatch(r"(\d+)x(\d+)", size)
    across, down = map(int, written.groups()) if written else (0, 0)
    if min(across, down) < SMALLEST:
        raise Refusal(f"--size {size}: write pixels across x down, {SMALLEST} or more each, such as 500x500")
    from ops import _timed  # it loads NumPy, which other commands need not wait for

    here = Path.cwd()
    nets = _timed.nets(here, recipes, table1)
    from pipeline.timing import forward, page  # torch, which other commands need not wait for

    make = partial(forward.Work, height=down, width=across, repeats=repeats, device=device, threads=_nets.threads(here))
    works = [make(name=name, net=net) for name, net in nets.items()]
    timings = list(forward.each(tqdm(works, desc="time", unit="net", disable=None)))
    page.write(OUT, timings)
    click.echo(f"{page.title(timings[0])}\n\n{page.table(timings)}")
    if told := _timed.tell(here, timings):
        click.echo(f"\n{told}")
