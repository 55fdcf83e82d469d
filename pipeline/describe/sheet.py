"""A contact sheet: some samples of a split with all their columns and labels, and what the colours mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pipeline.core.types import DatasetSpec, LabelSpec
from pipeline.shards.reader import Example, Shards

Pixels = NDArray[np.uint8]

SAMPLES = 16
WIDTH = 1380  # pixels of the sheet: two samples of five tiles stand in a row
TILE = 132  # pixels of a tile's longer side
GAP = 4
LINE = 14  # pixels a line of text takes
TITLE = 26
LEGEND = 165  # pixels that a class and its colour take


def sheet(folder: Path) -> Image.Image:
    """``SAMPLES`` samples spread evenly over the split: id, every image column, every label, and the classes' legend.

    A depth map is shown from near (bright) to far; void is white.
    """
    shards = Shards(folder, groups=1)
    spec, rows = shards.manifest.spec, len(shards)
    drawn = [shards[row] for row in sorted({place * rows // SAMPLES for place in range(SAMPLES)})]
    strips = [_strip(spec, example) for example in drawn]
    across = max(1, WIDTH // (strips[0].width + 3 * GAP))
    legends = [_legend(head, label) for head, label in spec.labels.items()]
    lines = [strips[start : start + across] for start in range(0, len(strips), across)]
    heights = [max(strip.height for strip in line) + GAP for line in lines]
    total = TITLE + sum(heights) + sum(legend.height for legend in legends)
    picture = Image.new("RGB", (WIDTH, total), "white")
    columns = " | ".join([*spec.images, *spec.labels])
    _write(picture, (GAP, 5), f"{spec.name}/{shards.manifest.split}: {len(drawn)} of {rows} samples, {columns}", 15)
    top = TITLE
    for line, height in zip(lines, heights, strict=True):
        for place, strip in enumerate(line):
            picture.paste(strip, (GAP + place * (strip.width + 3 * GAP), top))
        top += height
    for legend in legends:
        picture.paste(legend, (0, top))
        top += legend.height
    return picture


def _strip(spec: DatasetSpec, example: Example) -> Image.Image:
    """One sample's id above its columns and labels, side by side."""
    pictures = [_visible(example.images[column]) for column in spec.images]
    pictures += [_painted(example.labels[head], label) for head, label in spec.labels.items()]
    tiles = [_fitted(picture, crisp=place >= len(spec.images)) for place, picture in enumerate(pictures)]
    strip = Image.new("RGB", (len(tiles) * (TILE + GAP) - GAP, LINE + max(tile.height for tile in tiles)), "white")
    _write(strip, (0, 0), example.id, 11)
    for place, tile in enumerate(tiles):
        strip.paste(tile, (place * (TILE + GAP), LINE))
    return strip


def _visible(image: NDArray[Any]) -> Pixels:
    """Bytes as they are, millimetres in viridis from the nearest (bright) to the farthest."""
    if image.dtype == np.uint8:
        return image if image.ndim == 3 else np.repeat(image[..., None], 3, 2)
    low, high = int(image.min()), int(image.max())
    scaled = (image.astype(np.float64) - low) / max(high - low, 1)
    return np.asarray(mpl.colormaps["viridis_r"](scaled, bytes=True)[..., :3], np.uint8)


def _painted(label: NDArray[np.uint8], spec: LabelSpec) -> Pixels:
    colors = np.full((256, 3), 255, np.uint8)
    colors[: len(spec.palette)] = spec.palette
    return colors[label]


def _fitted(pixels: Pixels, *, crisp: bool) -> Image.Image:
    height, width = pixels.shape[:2]
    scale = TILE / max(height, width)
    kind = Image.Resampling.NEAREST if crisp else Image.Resampling.LANCZOS
    return Image.fromarray(pixels).resize((max(1, round(width * scale)), max(1, round(height * scale))), kind)


def _legend(head: str, label: LabelSpec) -> Image.Image:
    names: Sequence[str] = label.classes
    across = WIDTH // LEGEND
    rows = -(-len(names) // across)
    picture = Image.new("RGB", (WIDTH, TITLE + rows * (LINE + 2)), "white")
    draw = ImageDraw.Draw(picture)
    _write(picture, (GAP, 8), head, 13)
    for place, (name, color) in enumerate(zip(names, label.palette, strict=True)):
        x, y = GAP + place % across * LEGEND, TITLE + place // across * (LINE + 2)
        draw.rectangle((x, y + 1, x + 18, y + LINE - 2), fill=color, outline="grey")
        _write(picture, (x + 24, y), name, 11)
    return picture


def _write(picture: Image.Image, at: tuple[int, int], text: str, height: int) -> None:
    ImageDraw.Draw(picture).text(at, text, fill="black", font=ImageFont.load_default(height))
