"""Try learning rates around a recipe's, each for a short while, and suggest one: fcn tune RECIPE."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import click
import numpy as np
import torch
from matplotlib.figure import Figure

from pipeline import determinism
from pipeline.core import files
from pipeline.core.types import Refusal
from pipeline.metrics.scores import histogram, scores
from pipeline.prediction.predict import predict
from pipeline.shards.reader import Shards
from pipeline.shards.schema import MANIFEST, read_manifest
from pipeline.training.feed import Feed
from pipeline.training.recipe import Recipe, parse
from pipeline.training.train import train
from stages.shared.dvc import declared
from stages.shared.stage import Stage

POWERS = (-1.0, -0.5, 0.0, 0.5, 1.0)  # of ten, around the recipe's rate
FEWEST, MOST = 100, 300  # iterations of a try, where a tenth of the recipe's are fewer or more
IMAGES = 100  # that are scored, spread evenly
PICTURES = (".pdf", ".png", ".svg")
LOWER = "lower solver.lr"  # what the refusal of a training that diverged advises


class Try(NamedTuple):
    """What came of a rate: the loss of a pixel by iteration, and the first head's mean IU, None where it diverged."""

    rate: float
    curve: list[tuple[int, float]]
    mean_iu: float | None
    seconds: float

    @property
    def loss(self) -> float:  # of the last quarter
        return mean(loss for _, loss in self.curve[-len(self.curve) // 4 :])

    def line(self) -> str:
        found = "diverged" if self.mean_iu is None else f"{self.loss:8.3f}  {self.mean_iu:7.3f}"
        return f"{self.rate:9.2e}  {found:>17}  {self.seconds:7.0f}"


@click.command(cls=Stage)
@click.argument("recipe")
@click.option("--iterations", type=click.IntRange(min=1), help="Of each try; by default a tenth, but 100 to 300.")
@click.option("--rate", "rates", type=click.FloatRange(min=0, min_open=True), multiple=True, help="One to try; repeat.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw the losses into this PNG, SVG or PDF.")
def main(recipe: str, iterations: int | None, rates: tuple[float, ...], plot: Path | None) -> None:
    """Train RECIPE at five rates around its own for a while, and score each on its data set's val.

    Where there is no val, every tenth image of the training split is held out. Nothing is kept but --plot's picture.
    """
    if plot and (plot.suffix not in PICTURES or not plot.absolute().parent.is_dir()):
        raise Refusal(f"--plot {plot}: name a file in a folder that is there, ending in {', '.join(PICTURES)}")
    params = declared(f"train@{recipe}")
    row, runtime = parse(recipe, params[f"recipes.{recipe}"]), params["runtime"]
    device, budget = determinism.start(runtime, runtime["precision"]), row.solver.iterations
    steps = iterations or min(budget, MOST, max(FEWEST, budget // 10))
    learned, split, held = _splits(row)
    scored = held[:: -(-len(held) // IMAGES)]
    click.echo(f"{recipe}: {steps} of {budget} iterations at each rate, then {len(scored)} images of {split}")
    click.echo(f"{'rate':>9}  {'loss':>8}  {'mean IU':>7}  {'seconds':>7}")
    tries = []
    for rate in rates or [float(f"{row.solver.lr * 10**power:.2e}") for power in POWERS]:
        short = replace(row, solver=replace(row.solver, lr=rate, iterations=steps))
        tries.append(_tried(short, learned, split, scored, device, runtime["precision"]))
        click.echo(tries[-1].line())
    click.echo(_advice(tries))
    if plot:
        _draw(plot, recipe, tries)


def _splits(row: Recipe) -> tuple[Sequence[int] | None, Path, range]:
    """Which rows of the training split are learned from (None: all); what may be scored, and which rows of it."""
    learned = Path("data/shards", row.data.shards, row.data.split)
    val, rows = learned.with_name("val"), read_manifest(learned).rows
    if val != learned and (val / MANIFEST).is_file():
        return None, val, range(read_manifest(val).rows)
    if rows < 2:
        raise Refusal(f"{learned} has one image, and there is no {val}: convert more images, or a split val")
    held = range(0, rows, 10)
    return sorted({*range(rows)}.difference(held)), learned, held


def _tried(
    row: Recipe, rows: Sequence[int] | None, split: Path, scored: Sequence[int], device: torch.device, precision: str
) -> Try:
    """Train in a folder that is then removed, and score."""
    began, seen, mean_iu = time.perf_counter(), list[Any](), None

    def watch(*training: Any) -> Callable[[], None]:
        seen.extend(training)  # net, solver, feed, history
        return lambda: None

    options: dict[str, Any] = {"device": device, "precision": precision, "rows": rows, "say": len, "watch": watch}
    try:
        with TemporaryDirectory(prefix="fcn-tune-") as scratch:
            shards, out = Path("data/shards", row.data.shards, row.data.split), Path(scratch)
            train(row, shards=shards, init=Path(row.net.init), model=out / "model", history=out / "history", **options)
        mean_iu = _mean_iu(seen[0], seen[2], split, scored, device)
    except Refusal as refusal:
        if LOWER not in str(refusal):
            raise
    return Try(row.solver.lr, seen[3].rows, mean_iu, time.perf_counter() - began)


def _mean_iu(net: torch.nn.Module, feed: Feed, split: Path, rows: Sequence[int], device: torch.device) -> float:
    """Of the first head; of windows where the recipe trains on such."""
    head, label = next(iter(feed.labels.items()))
    samples = Shards(split, columns={*feed.inputs, *feed.labels}, groups=1)
    hist = np.zeros((len(label.classes),) * 2, np.int64)
    for example, predicted in predict(net, feed.net, (feed.cut(index, samples[index]) for index in rows), device):
        hist += histogram(example.labels[head], predicted[head], label, example.id)
    return scores(hist, label.classes)["mean_iu"]


def _advice(tries: Sequence[Try]) -> str:
    """The rate of the highest mean IU to three decimals; of equals the one of the lowest loss."""
    done = [(round(one.mean_iu, 3), -one.loss, one.rate) for one in tries if one.mean_iu is not None]
    tried = sorted(one.rate for one in tries)
    if not done:
        return f"every rate diverged: try --rate {tried[0] / 10:.2e}"
    best = max(done)[2]
    beyond = {tried[0]: best / 10**0.5, tried[-1]: best * 10**0.5}.get(best)
    return f"suggested: lr: {best:.2e}" + (f", the outermost: try --rate {beyond:.2e} too" if beyond else "")


def _draw(path: Path, title: str, tries: Sequence[Try]) -> None:
    axes = (figure := Figure(figsize=(7, 4.5), layout="constrained")).subplots()
    for one in (one for one in tries if one.curve):
        parts = np.array_split(one.curve, min(20, len(one.curve)))
        end = "diverged" if one.mean_iu is None else f"mean IU {one.mean_iu:.3f}"
        axes.plot(*np.transpose([part.mean(0) for part in parts]), label=f"{one.rate:.2e}, {end}")
    axes.set(title=title, xlabel="iteration", ylabel="loss per pixel", yscale="log")
    axes.legend()
    with files.replacing(path) as scratch:
        figure.savefig(scratch, format=path.suffix[1:])
