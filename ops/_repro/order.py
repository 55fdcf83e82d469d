"""Which stage starts next: DVC's graph, in the order in which people wait for its results."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

Stage = TypeVar("Stage", bound=Hashable)


class Order(Generic[Stage]):
    """``stages`` in DVC's order, what each needs (others than ``stages`` count not), and which compute for ``long``."""

    def __init__(
        self, stages: Sequence[Stage], needs: Mapping[Stage, Collection[Stage]], long: Collection[Stage] = ()
    ) -> None:
        self.stages = tuple(stages)
        self.needs = {stage: set(needs[stage]).intersection(stages) for stage in stages}
        self.long = set(long)
        self._longest = dict.fromkeys(stages, 1)  # stages one behind another after each, itself included
        self._nearest: dict[Stage, int] = {}  # and on the shortest way to one that no other needs
        for stage in reversed(stages):
            self._nearest.setdefault(stage, 1)
            for earlier in self.needs[stage]:
                self._longest[earlier] = max(self._longest[earlier], self._longest[stage] + 1)
                way = self._nearest[stage] + 1
                self._nearest[earlier] = min(self._nearest.get(earlier, way), way)

    def next(
        self, started: Collection[Stage], done: Collection[Stage], fits: Callable[[Stage], bool] = lambda _: True
    ) -> Stage | None:
        """The stage to start, of those that fit and whose needs are ``done``.

        First what computes for no long time, for it can fail at once: downloads, conversions. Then what is nearest to a
        result: a net is scored as soon as it is trained. Of equals the one with the longest chain behind it.
        """
        ready = [stage for stage in self.stages if stage not in started and self.needs[stage].issubset(done)]
        return min(filter(fits, ready), key=self._rank, default=None)

    def _rank(self, stage: Stage) -> tuple[int, int]:
        return self._nearest[stage] if stage in self.long else 0, -self._longest[stage]

    def begun(self, done: Collection[Stage]) -> list[Stage]:
        """The stages from the start up to the first that is not ``done``."""
        undone = (place for place, stage in enumerate(self.stages) if stage not in done)
        return list(self.stages[: next(undone, len(self.stages))])
