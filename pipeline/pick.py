"""Hand on one of the weights that a training kept: the best on its validation split, the last, or an iteration's."""

import csv
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.core import files
from pipeline.core.types import Refusal


@dataclass(frozen=True, kw_only=True)
class Net:
    """What the evaluation of a pick loads."""

    backbone: str


@dataclass(frozen=True, kw_only=True)
class Pick:
    """A row of ``picks`` but for its ``evaluate``: the weights of ``recipe`` at ``best``, ``last`` or an iteration.

    ``by`` is the table in eval/<recipe>/ that the stage depends on. ``best`` needs ``milestones``, the scores on the
    validation split. The others need none: ``history``, which every training writes, will do.
    """

    recipe: str
    at: int | str
    by: Literal["milestones", "history"]
    net: Net


def pick(row: Pick, milestones: Path, table: Path, out: Path) -> int:
    """Copy one of the weights in the folder ``milestones`` to ``out``; returns their iteration.

    The best has the highest mean IU of the table's first head, the earlier of equals. Raises Refusal where there is no
    such iteration, and for ``best`` by another table.
    """
    iterations = json.loads((milestones / "index.json").read_text(encoding="utf-8"))["iterations"]
    chosen: int | str = row.at
    if row.at == "best":
        if row.by != "milestones":
            raise Refusal("best is the best by validation: write by: milestones, and a row in validations")
        chosen = best(table)
    elif row.at == "last" and iterations:
        chosen = iterations[-1]
    if chosen not in iterations:
        known = ", ".join(map(str, iterations)) or "none: set solver.milestones"
        raise Refusal(f"{row.recipe} has no weights at {row.at}: write best, last or one of its iterations ({known})")
    with files.replacing(out) as scratch:
        shutil.copyfile(milestones / f"{chosen:06d}.safetensors", scratch)
    return int(chosen)


def best(table: Path) -> int:
    """The iteration in a table of ``pipeline.prediction.validate`` with the highest mean IU of its first head."""
    with table.open(encoding="utf-8", newline="") as file:
        rows: Sequence[dict[str, str]] = [*csv.DictReader(file, delimiter="\t")]
    own = [row for row in rows if row["head"] == rows[0]["head"]]
    return min((-float(row["mean_iu"]), int(row["iteration"])) for row in own)[1]
