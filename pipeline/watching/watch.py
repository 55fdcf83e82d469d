"""What a training shows while it runs: its curves at the history's steps, and pictures now and then."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from pipeline.fcn.net import FCN, LateFCN
from pipeline.runtime.observer import Observer
from pipeline.training.feed import Feed
from pipeline.training.history import History
from pipeline.training.solver import Solver
from pipeline.watching.preview import Preview


def watch(
    observer: Observer, shards: Path, net: FCN | LateFCN, solver: Solver, feed: Feed, history: History
) -> Callable[[], None]:
    """Tell ``observer`` of the training of ``net`` on ``shards``; call what comes back after each iteration."""
    return _Watch(observer, solver, feed, history, Preview(net, shards, solver.spec.iterations)).look


class _Watch:
    """A resumed training tells its history's rows again: the process before may have died before they were sent."""

    def __init__(self, observer: Observer, solver: Solver, feed: Feed, history: History, preview: Preview) -> None:
        self.observer = observer
        self.solver = solver
        self.feed = feed
        self.history = history
        self.preview = preview
        for done, loss in history.rows:
            observer.point(done, self._values(loss))
        self._told = len(history.rows)
        self._since, self._waited, self._from = time.perf_counter(), feed.waited, solver.iteration
        preview.show(solver.iteration, observer)

    def look(self) -> None:
        if len(self.history.rows) > self._told:
            self._told = len(self.history.rows)
            done, loss = self.history.rows[-1]
            self.observer.point(done, {**self._values(loss), **self._speed()})
        self.preview.show(self.solver.iteration, self.observer)

    def _values(self, loss: float) -> dict[str, float]:
        """As history.tsv has them: per valid pixel."""
        return {"loss": round(loss, 6), "learning_rate": self.solver.spec.lr}

    def _speed(self) -> dict[str, float]:
        """Since the last point: images a second, and the share of the time that the solver waited for samples."""
        now, waited = time.perf_counter(), self.feed.waited
        seconds, images = now - self._since, (self.solver.iteration - self._from) * self.solver.spec.batch
        waiting = (waited - self._waited) / seconds
        self._since, self._waited, self._from = now, waited, self.solver.iteration
        return {"images_per_second": images / seconds, "data_wait": waiting}
