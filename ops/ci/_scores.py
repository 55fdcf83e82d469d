"""How evaluations changed, head by head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ops.ci._since import State
from pipeline.published import ladder

SAME = ("ids_sha256", "scale")  # what both must be equal in, for their scores to be compared


@dataclass(frozen=True, kw_only=True)
class Change:
    """A head's scores in metrics.json then and now, None where there were or are none; not all alike.

    ``comparable``: both are of the same images.
    """

    recipe: str
    head: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    comparable: bool

    @property
    def name(self) -> str:
        return self.recipe if self.head == "semantic" else f"{self.recipe}, {self.head}"

    @property
    def points(self) -> float | None:
        """How much mean IU rose, in percentage points; None where that means nothing."""
        if not (self.before and self.after and self.comparable):
            return None
        return 100 * float(self.after["mean_iu"] - self.before["mean_iu"])

    def dropped(self, most: float) -> Iterator[tuple[str, float, float]]:
        """Classes whose IU fell by more than ``most`` points: name, percent then, percent now."""
        if self.points is None or self.before is None or self.after is None:
            return
        for name, iu in self.before["iu"].items():
            now = self.after["iu"].get(name)
            if now is not None and iu is not None and 100 * (iu - now) > most:
                yield name, 100 * iu, 100 * now


def changes(before: State, after: State) -> list[Change]:
    """In ladder order, semantic heads first."""
    recipes = sorted({*before.metrics, *after.metrics}, key=ladder.place)
    return [change for recipe in recipes for change in _changes(recipe, before, after)]


def _changes(recipe: str, before: State, after: State) -> Iterator[Change]:
    then, now = before.metrics.get(recipe, {}), after.metrics.get(recipe, {})
    heads = sorted({head for scores in (then, now) for head in scores if isinstance(scores[head], Mapping)})
    comparable = all(then.get(name) == now.get(name) for name in SAME)
    for head in sorted(heads, key=lambda head: head != "semantic"):
        if then.get(head) != now.get(head) or not comparable:
            yield Change(recipe=recipe, head=head, before=then.get(head), after=now.get(head), comparable=comparable)
