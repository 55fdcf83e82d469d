"""The feed decodes ahead but never out of order, and hands over exactly what the shards hold."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipeline.core.types import Refusal
from pipeline.shards.reader import Shards
from pipeline.training.feed import Feed, Item, ahead
from pipeline.training.order import drawn
from tests.training.world import GEOMETRIC, IDS, SEMANTIC, SPEC, shards

CPU = torch.device("cpu")


def feed(folder: Path, *heads: str) -> Feed:
    labels = {"semantic": SEMANTIC, "geometric": GEOMETRIC}
    net = replace(SPEC, heads={head: labels[head] for head in heads or ("semantic",)})
    return Feed(Shards(folder), seed=1337, net=net, device=CPU)


def test_items_come_in_draw_order(tmp_path: Path) -> None:
    batches = list(feed(shards(tmp_path / "train")).batches(0, 10, 2))
    assert [[item.draw for item in batch] for batch in batches] == [[2 * k, 2 * k + 1] for k in range(10)]
    assert [item.id for batch in batches for item in batch] == [IDS[drawn(1337, draw, 6)] for draw in range(20)]


def test_any_part_of_the_run_is_the_same_as_in_the_whole(tmp_path: Path) -> None:
    whole = feed(shards(tmp_path / "train"))
    assert [b[0].id for b in whole.batches(4, 9, 1)] == [b[0].id for b in list(whole.batches(0, 9, 1))[4:]]


def test_an_item_is_the_picture_minus_the_mean_and_its_labels(tmp_path: Path) -> None:
    folder = shards(tmp_path / "train")
    ((item,),) = feed(folder, "semantic", "geometric").batches(3, 4, 1)
    example = Shards(folder)[drawn(1337, 3, 6)]
    height, width = example.labels["semantic"].shape
    assert item.image.shape == (1, 3, height, width)
    assert item.image.dtype == torch.float32
    assert item.image.is_contiguous()
    for channel, mean in enumerate(SPEC.mean):
        expected = torch.from_numpy(example.images["color"])[:, :, channel].float() - mean
        assert torch.equal(item.image[0, channel], expected)
    for head in ("semantic", "geometric"):
        assert torch.equal(item.labels[head], torch.from_numpy(example.labels[head])[None])
        assert item.valid[head] == int((example.labels[head] != 255).sum())


def test_jitter_and_sampling_change_what_counts_and_nothing_else(tmp_path: Path) -> None:
    folder = shards(tmp_path / "train")
    net = replace(SPEC, heads={"semantic": SEMANTIC})

    def items(**changes: object) -> list[Item]:
        feed_ = Feed(Shards(folder), seed=1337, net=net, device=CPU, **changes)  # type: ignore[arg-type]
        return [item for batch in feed_.batches(0, 12, 1) for item in batch]

    plain, jittered, sampled = items(), items(jitter=True), items(sampling=0.25)
    assert [item.id for item in plain] == [item.id for item in jittered] == [item.id for item in sampled]
    assert any(not torch.equal(one.image, other.image) for one, other in zip(plain, jittered, strict=True))
    for one, other in zip(plain, sampled, strict=True):
        assert torch.equal(one.image, other.image)
        assert other.valid["semantic"] == int((other.labels["semantic"] != 255).sum()) <= one.valid["semantic"]
    for item in jittered:
        beyond = (item.image.abs() < 0.5).all(1)  # the mean, rounded to a pixel
        assert bool((item.labels["semantic"][beyond] == 255).float().mean() > 0.9)


def test_refuses_a_label_that_is_no_class_by_the_samples_name(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"2008_00000\d in .*train: label 9 is no class: classes are 0–2"):
        list(feed(shards(tmp_path / "train", labels=(0, 9))).batches(0, 1, 1))


def test_ahead_prepares_at_most_depth_more_than_are_taken() -> None:
    begun: list[int] = []

    def prepare(item: int) -> int:
        begun.append(item)
        return item * item

    results = ahead(prepare, range(100), depth=4)
    assert [next(results) for _ in range(3)] == [0, 1, 4]
    time.sleep(0.05)
    assert begun == list(range(7))
    assert list(results) == [n * n for n in range(3, 100)]


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_results_come_in_the_order_of_their_items_whoever_is_quicker(workers: int) -> None:
    def prepare(item: int) -> int:
        time.sleep(0.01 * (item % 3 == 0))
        return item

    assert list(ahead(prepare, range(30), workers)) == list(range(30))


def test_ahead_raises_an_error_in_its_turn_and_leaves_no_thread() -> None:
    def prepare(item: int) -> int:
        if item == 2:
            raise Refusal("the third")
        return item

    results = ahead(prepare, range(10))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(Refusal, match="the third"):
        next(results)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("feed")]


def test_ahead_asks_for_no_more_items_when_closed() -> None:
    def endless() -> Iterator[int]:
        n = 0
        while True:
            yield n
            n += 1

    results = ahead(str, endless())
    assert next(results) == "0"
    results.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("feed")]
