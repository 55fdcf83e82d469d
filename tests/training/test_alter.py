"""Mirroring, jitter and sampling are pure functions of (seed, draw), and move a photograph with its label."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.training.alter import CELL, JITTER, Move, move, sampled


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
