"""A training that is watched ends in the bytes of one that is not, and shows its curve and the same eight images."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from unittest.mock import ANY

from pipeline.core.types import LabelSpec
from pipeline.runtime.observer import Pixels
from pipeline.watching.watch import watch
from tests.training.world import IDS, fit, losses, recipe


class Seen:
    """Keeps what it is shown."""

    def __init__(self) -> None:
        self.points: list[tuple[int, Mapping[str, float]]] = []
        self.pictures: list[tuple[int, str]] = []

    def point(self, step: int, values: Mapping[str, float]) -> None:
        self.points.append((step, values))

    def labels(
        self,
        step: int,
        key: str,
        image: Pixels,
        truth: Mapping[str, Pixels],
        predicted: Mapping[str, Pixels],
        heads: Mapping[str, LabelSpec],
    ) -> None:
        assert image.shape == (*truth["semantic"].shape, 3)
        assert truth["semantic"].shape == predicted["semantic"].shape
        assert predicted["semantic"].max() < len(heads["semantic"].classes)
        self.pictures.append((step, key))


def test_looking_on_changes_no_byte_and_the_same_images_are_shown_at_nine_moments(tmp_path: Path) -> None:
    row = recipe(iterations=40)
    alone = fit(tmp_path, "alone", row=row)
    assert fit(tmp_path, "watched", row=row, watch=partial(watch, seen := Seen(), tmp_path / "train")) == alone
    keys = [f"training/{place:02d}-{name}" for place, name in enumerate(IDS)]
    assert seen.pictures == [(step, key) for step in range(0, 41, 5) for key in keys]


def test_the_curve_is_the_history_in_at_most_300_points(tmp_path: Path) -> None:
    seen, row = Seen(), recipe(iterations=610)
    fit(tmp_path, row=row, watch=lambda *training: watch(seen, tmp_path / "train", *training))
    assert [values["loss"] for _, values in seen.points] == losses(tmp_path / "run/history.tsv")
    assert 200 < len(seen.points) <= 300
    for _, values in seen.points:
        assert values == {"loss": ANY, "learning_rate": row.solver.lr, "images_per_second": ANY, "data_wait": ANY}
        assert 0 <= values["data_wait"] <= 1
