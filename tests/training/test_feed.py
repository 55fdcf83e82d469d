"""The order is a pure function; the feed decodes ahead, never out of order, and hands over what the shards hold."""

import math
import time
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.core.types import Refusal
from pipeline.runtime.distributed import Group
from pipeline.shards.reader import Shards
from pipeline.training.alter import CELL, JITTER, Move, move, sampled, window
from pipeline.training.feed import Feed, Item, drawn, prefetch
from tests.training.world import GEOMETRIC, IDS, SEMANTIC, SPEC, shards

HEADS = {"semantic": SEMANTIC, "geometric": GEOMETRIC}


def test_the_order_is_frozen() -> None:
    """Every published history depends on these numbers."""
    assert [drawn(1337, draw, 8498) for draw in range(5)] == [7994, 6524, 7645, 7976, 5076]


def test_the_order_is_uniform_with_replacement() -> None:
    n, draws = 100, 20_000
    counts = Counter(drawn(1, draw, n) for draw in range(draws))
    chi2 = sum((counts[index] - draws / n) ** 2 / (draws / n) for index in range(n))
    assert abs(chi2 - (n - 1)) < 5 * math.sqrt(2 * (n - 1))
    assert any(a == b for a, b in pairwise(drawn(1, draw, n) for draw in range(1000)))
    assert {drawn(5, draw, 3) for draw in range(100)} == {0, 1, 2}


def feed(folder: Path, *heads: str, **options: object) -> Feed:
    net = replace(SPEC, heads={head: HEADS[head] for head in heads or ("semantic",)})
    return Feed(shards=Shards(folder), seed=1337, net=net, device=torch.device("cpu"), **options)  # type: ignore[arg-type]


def items(folder: Path, **options: object) -> list[Item]:
    return [item for batch in feed(folder, **options).batches(0, 12, 1) for item in batch]


def test_items_come_in_draw_order_from_any_iteration_on(tmp_path: Path) -> None:
    whole = feed(shards(tmp_path / "train"))
    batches = list(whole.batches(0, 10, 2))
    assert [[item.draw for item in batch] for batch in batches] == [[2 * k, 2 * k + 1] for k in range(10)]
    assert [item.id for batch in batches for item in batch] == [IDS[drawn(1337, draw, 6)] for draw in range(20)]
    assert [[item.id for item in b] for b in whole.batches(4, 9, 2)] == [[item.id for item in b] for b in batches[4:9]]


def test_an_item_is_the_picture_minus_the_mean_and_its_labels(tmp_path: Path) -> None:
    folder = shards(tmp_path / "train")
    ((item,),) = feed(folder, "semantic", "geometric").batches(3, 4, 1)
    example = Shards(folder)[drawn(1337, 3, 6)]
    assert (item.image.dtype, item.image.is_contiguous()) == (torch.float32, True)
    want = torch.from_numpy(example.images["color"]).permute(2, 0, 1)[None] - torch.tensor(SPEC.mean).view(1, 3, 1, 1)
    assert torch.equal(item.image, want)
    for head in ("semantic", "geometric"):
        assert torch.equal(item.labels[head], torch.from_numpy(example.labels[head])[None])
        assert item.valid[head] == int((example.labels[head] != 255).sum())


def test_mirror_flips_some_samples_and_moves_none(tmp_path: Path) -> None:
    folder = shards(tmp_path / "train")
    plain, mirrored = items(folder), items(folder, alter="mirror")
    flipped = [bool(torch.equal(one.image.flip(3), other.image)) for one, other in zip(plain, mirrored, strict=True)]
    same = [bool(torch.equal(one.image, other.image)) for one, other in zip(plain, mirrored, strict=True)]
    assert any(flipped) and any(same)
    assert all(one != other for one, other in zip(flipped, same, strict=True))


def test_jitter_and_sampling_change_what_counts_and_nothing_else(tmp_path: Path) -> None:
    folder = shards(tmp_path / "train")
    plain, jittered, sampled = items(folder), items(folder, alter="jitter"), items(folder, sampling=0.25)
    assert [item.id for item in plain] == [item.id for item in jittered] == [item.id for item in sampled]
    assert any(not torch.equal(one.image, other.image) for one, other in zip(plain, jittered, strict=True))
    for one, other in zip(plain, sampled, strict=True):
        assert torch.equal(one.image, other.image)
        assert other.valid["semantic"] == int((other.labels["semantic"] != 255).sum()) <= one.valid["semantic"]
    for item in jittered:
        beyond = (item.image.abs() < 0.5).all(1)  # the mean, rounded to a pixel
        assert bool((item.labels["semantic"][beyond] == 255).float().mean() > 0.9)


def test_a_window_is_cut_from_image_and_labels_alike_after_the_move(tmp_path: Path) -> None:
    folder = shards(tmp_path / "train")
    heads = ("semantic", "geometric")
    wholes, parts = ([i for b in feed(folder, *heads, **more).batches(0, 40, 1) for i in b] for more in OPTIONS)
    for whole, part in zip(wholes, parts, strict=True):
        maps = {head: label.numpy()[0] for head, label in whole.labels.items()}
        rows, columns = window(1337, whole.draw, 42, maps, dict.fromkeys(heads, 255))
        assert part.image.shape == (1, 3, min(42, whole.image.shape[2]), 42)
        assert torch.equal(part.image, whole.image[..., rows, columns])
        assert all(torch.equal(part.labels[head], whole.labels[head][..., rows, columns]) for head in heads)
        assert part.valid == {head: int((part.labels[head] != 255).sum()) for head in heads}


OPTIONS: list[dict[str, object]] = [{"alter": "jitter"}, {"alter": "jitter", "crop": 42}]


def test_windows_are_a_pure_function_uniform_and_whole_where_the_picture_is_small() -> None:
    labels, ignored = {"semantic": np.zeros((40, 90), np.uint8)}, {"semantic": 255}
    places = [window(1337, draw, 64, labels, ignored) for draw in range(3000)]
    assert places == [window(1337, draw, 64, labels, ignored) for draw in range(3000)]
    assert places != [window(1338, draw, 64, labels, ignored) for draw in range(3000)]
    assert all(rows == slice(0, 64) for rows, _ in places)
    lefts = Counter(columns.start for _, columns in places)
    assert set(lefts) == set(range(90 - 64 + 1))
    assert max(lefts.values()) < 2 * min(lefts.values())


def test_a_window_without_a_valid_pixel_is_drawn_again_ten_times_at_most() -> None:
    """A sixth of the picture is labelled, by the second head."""
    void, some = np.full((64, 3 * 64), 255, np.uint8), np.full((64, 3 * 64), 255, np.uint8)
    some[:, :32] = 1
    ignored = {"semantic": 255, "geometric": 255}
    seen = [window(1, n, 64, {"semantic": void, "geometric": some}, ignored)[1].start < 32 for n in range(400)]
    assert 0.85 < np.mean(seen) < 0.97  # 1 - (97 / 129) ** TRIES = 0.94
    assert window(1, 0, 64, {"semantic": void}, {"semantic": 255})[0] == slice(0, 64)


def test_only_the_rows_that_it_is_given_are_drawn(tmp_path: Path) -> None:
    assert {item.id for item in items(shards(tmp_path / "train"), rows=[4, 1])} == {IDS[1], IDS[4]}


def test_refuses_a_label_that_is_no_class_by_the_samples_name(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"2008_00000\d in .*train: label 9 is no class: classes are 0–2"):
        items(shards(tmp_path / "train", labels=(0, 9)))


@pytest.mark.parametrize(("rank", "want"), [(0, [[12, 13], [16, 17], [20, 21]]), (1, [[14, 15], [18, 19], [22, 23]])])
def test_each_process_decodes_its_own_draws_alone(tmp_path: Path, rank: int, want: list[list[int]]) -> None:
    own = feed(shards(tmp_path / "train"), group=Group(rank=rank, size=2))
    decoded: list[int] = []
    own._decode = lambda draw, decode=own._decode: decoded.append(draw) or decode(draw)  # type: ignore[assignment, misc]
    batches = [[item.draw for item in batch] for batch in own.batches(3, 6, 4)]
    assert batches == want
    assert decoded == [draw for batch in batches for draw in batch]


def test_at_most_depth_more_are_prepared_than_are_taken() -> None:
    begun: list[int] = []

    def prepare(item: int) -> int:
        begun.append(item)
        return item * item

    results = prefetch(prepare, range(100), depth=4)
    assert [next(results) for _ in range(3)] == [0, 1, 4]
    time.sleep(0.05)
    assert begun == list(range(7))
    assert list(results) == [n * n for n in range(3, 100)]


def test_a_move_takes_pixels_where_it_says() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert Move(mirrored=False, down=1, right=-1).apply(pixels, 99).tolist() == [
        [99, 99, 99, 99],
        [1, 2, 3, 99],
        [5, 6, 7, 99],
    ]
    assert Move(mirrored=True, down=0, right=0).apply(pixels, 99).tolist() == pixels[:, ::-1].tolist()
    mirrored = Move(mirrored=True, down=-2, right=3).apply(pixels, 99)
    assert mirrored.tolist() == [[99, 99, 99, 11], [99] * 4, [99] * 4]
    assert (Move(mirrored=False, down=3, right=0).apply(pixels, 99) == 99).all()
    color = np.stack([pixels, pixels, pixels], 2)
    assert Move(mirrored=True, down=-2, right=3).apply(color, (1, 99, 2))[..., 1].tolist() == mirrored.tolist()


def test_moves_are_what_the_paper_says_and_repeat() -> None:
    moves = [move(1337, draw) for draw in range(4000)]
    assert moves == [move(1337, draw) for draw in range(4000)]
    assert moves != [move(1338, draw) for draw in range(4000)]
    assert 0.47 < np.mean([change.mirrored for change in moves]) < 0.53
    shifts = np.array([(change.down, change.right) for change in moves])
    assert (shifts.min(), shifts.max()) == (-JITTER, JITTER)
    assert np.abs(shifts.mean(0)).max() < 1.5


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_sampling_keeps_whole_cells_and_the_same_for_every_head(share: float) -> None:
    kept = []
    for draw in range(300):
        label = np.full((100, 75), draw % 9, np.uint8)
        once = sampled(label, 1337, draw, share, 255)
        assert set(np.unique(once)) <= {draw % 9, 255}
        for row in range(0, 100, CELL):
            for column in range(0, 75, CELL):
                assert len(np.unique(once[row : row + CELL, column : column + CELL])) == 1
        other = sampled(np.ones_like(label), 1337, draw, share, 255)
        assert np.array_equal(other == 255, once == 255)
        kept.append(np.mean(once[:96, :64] != 255))
    assert abs(np.mean(kept) - share) < 0.03
    assert np.array_equal(sampled(label, 1337, 299, share, 255), once)
