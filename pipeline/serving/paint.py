"""Label maps as pictures: a PNG that holds the indices and looks like its colours, an overlay, a legend."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pipeline.core.types import LabelSpec

Pixels = NDArray[np.uint8]
OPAQUE = 0.6  # of a class's colour over the picture
BLACK = (0, 0, 0)  # classes of this colour, background above all, leave the picture as it is
EDGE = (255, 255, 255)
SEEN = 320  # pixels of the longer side that an overlay has at least
TALL = 600  # pixels of height, above which the legend grows
MARGIN, ROW, FONT = 12, 26, 15  # pixels of the legend
INK, PAPER = (34, 34, 34), (255, 255, 255)


def png(label: Pixels, spec: LabelSpec) -> bytes:
    """H×W class indices as a palette PNG: its samples are exactly the indices, its palette the data set's colours."""
    image = Image.fromarray(label)
    image.putpalette([value for color in spec.palette for value in color])
    file = io.BytesIO()
    image.save(file, format="PNG")
    return file.getvalue()


def overlay(picture: Pixels, label: Pixels, spec: LabelSpec) -> Pixels:
    """The picture (H×W×3 RGB) under its classes' colours, edges between classes white, beside it their legend.

    Pictures of less than 320 px are enlarged by a whole factor, so that one sees them beside their legend.
    """
    factor = max(1, -(-SEEN // max(label.shape)))
    height, width = label.shape[0] * factor, label.shape[1] * factor
    label = label.repeat(factor, 0).repeat(factor, 1)
    picture = np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))
    colors = np.zeros((256, 3), np.float32)
    colors[: len(spec.palette)] = spec.palette
    weight = np.zeros((256, 1), np.float32)
    weight[: len(spec.palette), 0] = [0 if color == BLACK else OPAQUE for color in spec.palette]
    painted = np.empty_like(picture)
    for row in range(0, height, SEEN):  # floats of a few rows at a time
        rows = slice(row, row + SEEN)
        over = weight[label[rows]]
        painted[rows] = picture[rows] * (1 - over) + colors[label[rows]] * over
    painted[_edges(label)] = EDGE
    return _with_legend(painted, label, spec)


def _edges(label: Pixels) -> NDArray[np.bool_]:
    """Pixels whose right or lower neighbour is of another class."""
    edges = np.zeros(label.shape, bool)
    edges[:-1] |= label[:-1] != label[1:]
    edges[:, :-1] |= label[:, :-1] != label[:, 1:]
    return edges


def _with_legend(painted: Pixels, label: Pixels, spec: LabelSpec) -> Pixels:
    """Classes by their share of the picture, the largest first; a class that is not painted has an empty swatch."""
    unit = max(1.0, label.shape[0] / TALL)  # the legend grows with the picture
    font = ImageFont.load_default(FONT * unit)
    margin, row, box = (round(length * unit) for length in (MARGIN, ROW, FONT))
    counts = np.bincount(label.ravel(), minlength=len(spec.classes))
    found = [int(index) for index in np.argsort(-counts, kind="stable") if counts[index]]
    names = max(round(font.getlength(spec.classes[index])) for index in found)
    wide = margin + row + names + 2 * row + margin
    height = max(painted.shape[0], len(found) * row + 2 * margin)
    sheet = Image.new("RGB", (painted.shape[1] + wide, height), PAPER)
    sheet.paste(Image.fromarray(painted), (0, 0))
    draw, left = ImageDraw.Draw(sheet), painted.shape[1] + margin
    for place, index in enumerate(found):
        top, color = margin + place * row, spec.palette[index]
        swatch = (left, top + (row - box) // 2, left + box, top + (row + box) // 2)
        draw.rounded_rectangle(swatch, radius=box // 5, fill=PAPER if color == BLACK else color, outline=INK)
        draw.text((left + row, top + row // 2), spec.classes[index], fill=INK, font=font, anchor="lm")
        draw.text((sheet.width - margin, top + row // 2), _share(counts[index] / label.size), INK, font, anchor="rm")
    return np.array(sheet)


def _share(part: float) -> str:
    return f"{part:.0%}" if part >= 0.01 else "<1%"
