"""What a net sees: columns one behind the other, a depth as its logarithm; and the pixels of a mean."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.fcn import inputs


def test_columns_stand_one_behind_the_other_and_a_depth_as_its_logarithm() -> None:
    images = {
        "color": np.full((2, 3, 3), (10, 20, 30), np.uint8),
        "depth": np.full((2, 3), 2550, np.uint16),
        "hha": np.full((2, 3, 3), (1, 2, 3), np.uint8),
    }
    stacked = inputs.stack(images, ("color", "depth"), torch.device("cpu"))
    assert (stacked.shape, stacked.dtype) == ((1, 4, 2, 3), torch.float32)
    assert stacked[0, :, 1, 2].tolist() == pytest.approx([10, 20, 30, np.log(2550)], abs=1e-5)


def test_a_mean_becomes_the_nearest_pixel_of_each_column() -> None:
    pixels = inputs.unstacked((10.4, 20.6, 30.0, float(np.log(2550))), ("color", "depth"))
    assert (pixels["color"].tolist(), pixels["depth"].tolist()) == ([10, 21, 30], [2550])
