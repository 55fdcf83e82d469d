"""A training that is watched ends in the bytes of one that is not, and shows its curves and the same eight images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from pipeline.core import files
from pipeline.core.types import LabelSpec
from pipeline.runtime.observer import Pixels
from pipeline.training.train import train
from tests.training.world import IDS, classifier, recipe, shards


class Seen:
    """Keeps what it is told."""

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


def trained(root: Path, name: str, observer: Seen | None, iterations: int) -> dict[str, str]:
    train(
        recipe(iterations=iterations),
        shards=root / "train",
        init=root / "init.safetensors",
        out=root / name,
        device=torch.device("cpu"),
        say=lambda line: None,
        observer=observer,
    )
    return {path.name: files.sha256(path) for path in (root / name).iterdir()}


def test_looking_on_changes_no_byte(tmp_path: Path) -> None:
    shards(tmp_path / "train")
    classifier(tmp_path / "init.safetensors")
    assert trained(tmp_path, "watched", Seen(), 40) == trained(tmp_path, "alone", None, 40)


def test_the_curve_is_the_history_in_at_most_300_points(tmp_path: Path) -> None:
    shards(tmp_path / "train")
    classifier(tmp_path / "init.safetensors")
    trained(tmp_path, "run", seen := Seen(), 610)
    history = [line.split("\t") for line in (tmp_path / "run/history.tsv").read_text().splitlines()[1:]]
    assert [(step, values["loss"]) for step, values in seen.points] == [(int(at), float(loss)) for at, loss in history]
    assert 200 < len(seen.points) <= 300
    for _, values in seen.points:
        assert values.keys() == {"loss", "learning_rate", "images_per_second", "data_wait"}
        assert values["learning_rate"] == recipe().solver.lr
        assert 0 <= values["data_wait"] <= 1


def test_the_same_images_are_shown_at_nine_moments(tmp_path: Path) -> None:
    shards(tmp_path / "train")
    classifier(tmp_path / "init.safetensors")
    trained(tmp_path, "run", seen := Seen(), 40)
    keys = [f"training/{place:02d}-{name}" for place, name in enumerate(IDS)]
    assert seen.pictures == [(step, key) for step in range(0, 41, 5) for key in keys]
