"""What a training shows while it runs: its curve at the history's steps, and how it labels the same eight images."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import torch

from pipeline.fcn import inputs
from pipeline.fcn.net import FCN, LateFCN
from pipeline.runtime.observer import Observer, Pixels
from pipeline.shards.reader import Example, Shards
from pipeline.shards.schema import read_manifest
from pipeline.training.feed import Feed
from pipeline.training.loss import History
from pipeline.training.solver import Solver

IMAGES = 8  # of the training split, spread evenly
MOMENTS = 8  # and the start, where a 16s shows what its 32s knew


def watch(
    observer: Observer, shards: Path, net: FCN | LateFCN, solver: Solver, feed: Feed, history: History
) -> Callable[[], None]:
    """Show ``observer`` the training of ``net`` on ``shards``; call what comes back after each iteration.

    A resumed training shows its history's rows again: the process before may have died before they were sent.
    """
    preview = Preview(net, shards, solver.spec.iterations)
    for done, loss in history.rows:
        observer.point(done, _values(solver, loss))
    shown = len(history.rows)
    began, waited, first = time.perf_counter(), feed.waited, solver.iteration

    def look() -> None:
        nonlocal shown, began, waited, first
        if len(history.rows) > shown:
            shown, (done, loss) = len(history.rows), history.rows[-1]
            now, images = time.perf_counter(), (solver.iteration - first) * solver.spec.batch
            seconds = now - began
            speed = {"images_per_second": images / seconds, "data_wait": (feed.waited - waited) / seconds}
            observer.point(done, {**_values(solver, loss), **speed})
            began, waited, first = now, feed.waited, solver.iteration
        preview.show(solver.iteration, observer)

    preview.show(solver.iteration, observer)
    return look


def _values(solver: Solver, loss: float) -> dict[str, float]:
    """As history.tsv has them: per valid pixel."""
    return {"loss": round(loss, 6), "learning_rate": solver.spec.lr}


class Preview:
    """The labels of ``IMAGES`` of ``shards`` at nine moments of a training; which images, depends on their number.

    A moment costs eight forward passes and leaves the net and the global random numbers as they were.
    """

    def __init__(self, net: FCN | LateFCN, shards: Path, iterations: int) -> None:
        self.net = net
        self.moments = {iterations * moment // MOMENTS for moment in range(MOMENTS + 1)}
        self._photo = read_manifest(shards).spec.images[0]
        samples = Shards(shards, columns={self._photo, *net.spec.inputs, *net.spec.heads}, verify=False)
        self._examples = [samples[index] for index in sorted({k * len(samples) // IMAGES for k in range(IMAGES)})]

    def show(self, iteration: int, observer: Observer) -> None:
        """Label the eight for ``observer``, if ``iteration`` is one of the moments."""
        if iteration not in self.moments:
            return
        training = self.net.training
        self.net.eval()
        for place, example in enumerate(self._examples):
            key = f"training/{place:02d}-{re.sub(r'[^0-9A-Za-z_.-]', '_', example.id)}"
            photo, predicted = example.images[self._photo], self._predicted(example)
            observer.labels(iteration, key, photo, example.labels, predicted, self.net.spec.heads)
        self.net.train(training)

    @torch.inference_mode()
    def _predicted(self, example: Example) -> dict[str, Pixels]:
        device = next(self.net.parameters()).device
        mean = torch.tensor(self.net.spec.mean, device=device).view(1, -1, 1, 1)
        scores = self.net(inputs.stack(example.images, self.net.spec.inputs, device) - mean)
        return {head: score.argmax(1)[0].to(torch.uint8).cpu().numpy() for head, score in scores.items()}
