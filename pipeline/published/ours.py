"""Our evaluations of one scale, and the published row that stands beside each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.core.types import Refusal
from pipeline.published import ladder
from pipeline.published.published import PRECEDENCE, PUBLISHED, Published

METRICS = {"pixel_acc": "pixel acc.", "mean_acc": "mean acc.", "mean_iu": "mean IU", "fw_iu": "f.w. IU"}


class Ours(NamedTuple):
    """One head's scores of one evaluation, in percent; ``scored`` of ``classes`` classes have ground truth.

    ``ids_sha256`` names the ``images`` it was scored on.
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
    found: list[Ours] = []
    for path in sorted(evaluations.glob("*/metrics.json")):
        try:
            found += _heads(path, scale)
        except (ValueError, KeyError, TypeError) as error:
            raise Refusal(f"{path} is no evaluation ({error!r}): run its evaluate stage again") from None
    if not found:
        raise Refusal(f"no {evaluations}/*/metrics.json of scale {scale!r} to report: evaluate a recipe first")
    return sorted(found, key=lambda row: (ladder.head_order(row.head), ladder.place(row.recipe)))


def _heads(path: Path, scale: str) -> Iterator[Ours]:
    metrics = json.loads(path.read_text(encoding="utf-8"))
    if metrics["scale"] == scale:
        for head, scores in metrics.items():
            if isinstance(scores, dict):
                yield Ours(
                    recipe=path.parent.name,
                    head=head,
                    ids_sha256=metrics["ids_sha256"],
                    images=metrics["images"],
                    classes=len(scores["iu"]),
                    scored=len(scores["iu"]) - len(scores["absent"]),
                    **{name: 100 * scores[name] for name in METRICS},
                )


def printed(recipe: str, head: str) -> Published | None:
    """The verified row to compare a recipe's head with, evaluated or not: of several, the first in ``PRECEDENCE``."""
    wanted = ladder.printed(recipe), head
    rows = [row for row in PUBLISHED if row.verified and (row.recipe, row.head) == wanted]
    return min(rows, key=lambda row: PRECEDENCE.index(row.source), default=None)
