"""Our evaluations of one scale, and the published row that stands beside each."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.types import Refusal
from pipeline.published import ladder
from pipeline.published.published import PRECEDENCE, PUBLISHED, Published

METRICS = {"pixel_acc": "pixel acc.", "mean_acc": "mean acc.", "mean_iu": "mean IU", "fw_iu": "f.w. IU"}


@dataclass(frozen=True, kw_only=True)
class Ours:
    """One head's scores of one evaluation, in percent; ``scored`` of ``classes`` classes have ground truth.

    ``ids_sha256`` tells which ``images`` it was scored on.
    """

    recipe: str
    head: str
    ids_sha256: str
    images: int
    classes: int
    scored: int
    pixel_acc: float
    mean_acc: float
    mean_iu: float
    fw_iu: float


def read(evaluations: Path, scale: str) -> list[Ours]:
    """Every head of every ``evaluations``/*/metrics.json of this ``scale``, in ladder order, semantic heads first.

    Raises Refusal when there is none of this scale, or one cannot be understood.
    """
    found = [row for path in sorted(evaluations.glob("*/metrics.json")) for row in _read(path, scale)]
    if not found:
        raise Refusal(f"no {evaluations}/*/metrics.json of scale {scale!r} to report: evaluate a recipe first")
    return sorted(found, key=lambda row: (row.head != "semantic", row.head, ladder.place(row.recipe)))


def _read(path: Path, scale: str) -> list[Ours]:
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
        if metrics["scale"] != scale:
            return []
        return [
            Ours(
                recipe=path.parent.name,
                head=head,
                ids_sha256=metrics["ids_sha256"],
                images=metrics["images"],
                classes=len(scores["iu"]),
                scored=len(scores["iu"]) - len(scores["absent"]),
                **{name: 100 * scores[name] for name in METRICS},
            )
            for head, scores in metrics.items()
            if isinstance(scores, dict)
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise Refusal(f"{path} is no evaluation ({error!r}): run its evaluate stage again") from None


def bounds(path: Path, ours: Iterable[Ours]) -> dict[int, float]:
    """{factor: mean IU in percent} of the semantic head, from a file of the stage bounds.

    Empty where there is no such file, or it is of other images than ours were scored on: another scale's.
    Raises Refusal when it cannot be understood.
    """
    if not path.is_file():
        return {}
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        if tree["ids_sha256"] not in {row.ids_sha256 for row in ours}:
            return {}
        return {int(factor): 100 * scores["mean_iu"] for factor, scores in tree["semantic"].items()}
    except (ValueError, KeyError, TypeError) as error:
        raise Refusal(f"{path} holds no bounds ({error!r}): run its bounds stage again") from None


def reference(ours: Ours) -> Published | None:
    """The published row to compare with, if there is a verified one: of several, the first in ``PRECEDENCE``."""
    return printed(ours.recipe, ours.head)


def printed(recipe: str, head: str) -> Published | None:
    """The ``reference`` of any recipe's head, evaluated or not."""
    rows = [row for row in PUBLISHED if row.verified and row.head == head]
    rows = [row for row in rows if row.recipe == ladder.printed(recipe)]
    return min(rows, key=lambda row: PRECEDENCE.index(row.source), default=None)
