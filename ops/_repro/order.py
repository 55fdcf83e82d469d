"""Which stages may start when: DVC's graph, in the order in which `dvc repro` would walk it."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

Stage = TypeVar("Stage", bound=Hashable)


class Order(Generic[Stage]):
    """``stages`` in DVC's order, and the stages that each of them needs (``needs``; those outside of it count not).

    ``alone`` are stages that are there for what they do and not for outputs, such as publishing all that went before:
    they need every stage that DVC would walk before them.
    """

    def __init__(
        self, stages: Sequence[Stage], needs: Mapping[Stage, Collection[Stage]], alone: Collection[Stage] = ()
    ) -> None:
        self.stages = tuple(stages)
        self.needs = {
            stage: set(stages[:place]) if stage in alone else set(needs[stage]).intersection(stages)
            for place, stage in enumerate(stages)
        }
        self._chain = dict.fromkeys(stages, 1)  # stages one behind another after each, itself included
        for stage in reversed(stages):
            for earlier in self.needs[stage]:
                self._chain[earlier] = max(self._chain[earlier], self._chain[stage] + 1)

    def next(self, started: Collection[Stage], done: Collection[Stage]) -> Stage | None:
        """The stage to start: of those whose needs are ``done``, the one with the longest chain behind it."""
        ready = [stage for stage in self.stages if stage not in started and self.needs[stage].issubset(done)]
        return max(ready, key=self._chain.__getitem__, default=None)

    def begun(self, done: Collection[Stage]) -> list[Stage]:
        """The stages from the start up to the first that is not ``done``."""
        undone = (place for place, stage in enumerate(self.stages) if stage not in done)
        return list(self.stages[: next(undone, len(self.stages))])
