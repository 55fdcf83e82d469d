"""The weights that are handed on are those that the row names."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.core import fields
from pipeline.core.types import Refusal
from pipeline.pick import Pick, pick

TABLE = "iteration\thead\tpixel_acc\tmean_acc\tmean_iu\tfw_iu\n" + "".join(
    f"{step}\t{head}\t0\t0\t{score}\t0\n"
    for step, scores in {200: (0.2, 0.9), 400: (0.5, 0.1), 600: (0.5, 0.3)}.items()
    for head, score in zip(("semantic", "geometric"), scores, strict=True)
)


def picked(root: Path, iterations: tuple[int, ...] = (200, 400, 600), **row: Any) -> str:
    """What is handed on: weights here are their iteration's text."""
    folder = root / "milestones"
    folder.mkdir()
    for each in iterations:
        (folder / f"{each:06d}.safetensors").write_text(str(each))
    (folder / "index.json").write_text(json.dumps({"iterations": iterations}))
    (root / "table.tsv").write_text(TABLE)
    out = root / "runs/best/model.safetensors"
    done = pick(
        fields.read(Pick, "picks.x", {"recipe": "net", "net": {"backbone": "vgg16"}, **row}),
        folder,
        root / "table.tsv",
        out,
    )
    assert out.read_text() == str(done)
    return out.read_text()


@pytest.mark.parametrize(
    ("at", "by", "found"), [("best", "milestones", 400), ("last", "history", 600), (200, "history", 200)]
)
def test_best_is_by_the_first_head_and_of_equals_the_earlier(tmp_path: Path, at: Any, by: str, found: int) -> None:
    assert picked(tmp_path, at=at, by=by) == str(found)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"at": 300, "by": "history"},
            "net has no weights at 300: write best, last or one of its iterations (200, 400, 600)",
        ),
        ({"at": "first", "by": "history"}, "net has no weights at first: "),
        ({"at": "last", "by": "history", "iterations": ()}, "(none: set solver.milestones)"),
        ({"at": "best", "by": "history"}, "best is the best by validation: write by: milestones"),
        ({"at": 200, "by": "loss"}, "picks.x.by is 'loss': choose milestones or history"),
    ],
)
def test_anything_else_is_refused_and_nothing_is_written(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    with pytest.raises(Refusal, match=re.escape(said)):
        picked(tmp_path, **row)
    assert not (tmp_path / "runs").exists()
