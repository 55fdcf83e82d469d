"""Draw what was seen, what is true, what was predicted and where it is wrong, side by side."""

from __future__ import annotations

import re
from collections.abc import Mapping
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.core.types import LabelSpec

Pixels = NDArray[np.uint8]
PANELS = 8
TILES = ("image", "label", "prediction", "errors")
GAP = 4  # pixels of white between the pictures
WHITE = np.uint8(255)
WRONG = (215, 25, 28)  # a red that neither pale grey nor white can be taken for
PALE = 0.35  # how much of the image's darkness is left under the error map


def chosen(images: int) -> list[int]:
    """Which of ``images`` get a panel: at most ``PANELS`` indices, spread evenly from the first on."""
    return sorted({k * images // PANELS for k in range(PANELS)}) if images else []


def panel(
    image: Pixels, truth: Mapping[str, Pixels], predicted: Mapping[str, Pixels], labels: Mapping[str, LabelSpec]
) -> Pixels:
    """The ``tiles`` side by side, one row per head of ``predicted``; RGB uint8."""
    rows = [_beside(tiles(image, truth[head], predicted[head], labels[head]), axis=1) for head in predicted]
    return _beside(rows, axis=0)


def tiles(image: Pixels, truth: Pixels, predicted: Pixels, label: LabelSpec) -> list[Pixels]:
    """Image, label, prediction and error map, H×W×3 RGB uint8 each.

    ``image`` is H×W×3 RGB, the maps H×W class indices. Void is white wherever the truth is drawn; the error map shows
    wrong pixels red over the pale image.
    """
    colors = np.full((256, 3), WHITE)
    colors[: len(label.palette)] = label.palette
    void = truth == label.ignore_label
    colored = colors[truth]
    colored[void] = WHITE
    return [image, colored, colors[predicted], _errors(image, truth != predicted, void)]


def png(pixels: Pixels) -> bytes:
    """Equal pixels give equal bytes: there is no time stamp in it. Packed in half of Pillow's time, a little larger."""
    made = BytesIO()
    Image.fromarray(pixels).save(made, format="PNG", compress_level=1)
    return made.getvalue()


def file_name(place: str, name: str) -> str:
    """The panel's file name for the split's image ``name`` (an id may hold slashes), sorting by ``place``."""
    return f"{place}-{re.sub(r'[^0-9A-Za-z_.-]', '_', name)}.png"


def _errors(image: Pixels, wrong: NDArray[np.bool_], void: NDArray[np.bool_]) -> Pixels:
    grey = 255 - (255 - image.mean(axis=2, keepdims=True)) * PALE
    errors = np.repeat(grey.astype(np.uint8), 3, axis=2)
    errors[wrong] = WRONG
    errors[void] = WHITE
    return errors


def _beside(pictures: list[Pixels], axis: int) -> Pixels:
    shape = list(pictures[0].shape)
    shape[axis] = GAP
    gap = np.full(shape, WHITE)
    spaced = [part for picture in pictures for part in (gap, picture)][1:]
    return np.concatenate(spaced, axis=axis)
