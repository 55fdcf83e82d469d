"""Pictures of a training are small, and square enough to be seen in MLflow's cards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.core.types import LabelSpec
from pipeline.tracking import spool
from pipeline.tracking.live import SIDE, Live
from pipeline.tracking.spool import Spool

LABEL = LabelSpec(classes=("background", "cat"), palette=((0, 0, 0), (64, 0, 0)))


def test_image_and_label_stand_above_prediction_and_errors(tmp_path: Path) -> None:
    image = np.full((375, 500, 3), 200, np.uint8)
    truth, predicted = np.zeros((375, 500), np.uint8), np.ones((375, 500), np.uint8)
    Live(Spool(tmp_path)).labels(
        7, "training/cat", image, {"semantic": truth}, {"semantic": predicted}, {"semantic": LABEL}
    )
    (path,) = (tmp_path / spool.PICTURES).iterdir()
    with Image.open(path) as picture:
        pixels = np.asarray(picture)
    height, width = 188, 250  # every second pixel: the longer side fits into SIDE
    assert width <= SIDE
    assert pixels.shape == (2 * height + 4, 2 * width + 4, 3)
    for corner, color in (((0, 0), (200,) * 3), ((0, -1), (0, 0, 0)), ((-1, 0), (64, 0, 0)), ((-1, -1), (215, 25, 28))):
        assert tuple(pixels[corner]) == color
