"""A split at a glance: a contact sheet of samples, and bars of how often each class occurs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import get_data_path
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, fontManager
from matplotlib.ft2font import FT2Font
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from pipeline.core.types import DatasetSpec, LabelSpec, drawable
from pipeline.shards.reader import Example, Shards

SAMPLES = 16
WIDTH = 1380  # pixels of the sheet: two samples of five tiles stand in a row
TILE = 132  # pixels of a tile's longer side
GAP = 4
LINE = 14  # pixels a line of text takes
TITLE = 26
LEGEND = 165  # pixels that a class and its colour take
ROW = 0.2  # inches of a bar
LEAST = 1e-6  # share at the left edge: a class rarer than a pixel in a million looks absent
Pair = tuple[int, int, int]  # places in two splits, and the bits of their hashes that differ
# Only matplotlib's own fonts, which are the same bytes everywhere: a machine's DejaVu may be another
fontManager.ttflist = []
for own in sorted(Path(get_data_path(), "fonts/ttf").glob("*.ttf")):
    fontManager.addfont(own)
FONT = findfont("DejaVu Sans")  # Pillow's own has no é, ß or ×
LETTERS = FT2Font(FONT).get_charmap()


def sheet(folder: Path) -> Image.Image:
    """``SAMPLES`` samples spread evenly over the split: id, every image column, every label, and the classes' legend.

    A depth map is shown from near (bright) to far; void is white.
    """
    shards = Shards(folder, groups=1)
    spec, rows = shards.manifest.spec, len(shards)
    strips = [_strip(spec, shards[row]) for row in sorted({place * rows // SAMPLES for place in range(SAMPLES)})]
    columns = " | ".join([*spec.images, *spec.labels])
    title = f"{spec.name}/{shards.manifest.split}: {len(strips)} of {rows} samples, {columns}"
    return _laid(title, strips, [_legend(head, label) for head, label in spec.labels.items()])


def couples(folders: Sequence[Path], pairs: Mapping[tuple[str, str], Sequence[Pair]]) -> Image.Image:
    """The first ``SAMPLES`` of ``pairs`` of any two splits, by the splits' names, side by side."""
    shards = {folder.name: Shards(folder, groups=1) for folder in folders}
    strips = []
    for splits, found in pairs.items():
        for places in found[:SAMPLES]:
            both = [shards[split] for split in splits]
            left, right = (_strip(each.manifest.spec, each[place]) for each, place in zip(both, places, strict=False))
            strip = Image.new("RGB", (left.width + GAP + right.width, LINE + max(left.height, right.height)), "white")
            _write(strip, (0, 0), " and ".join(splits), 11)
            strip.paste(left, (0, LINE))
            strip.paste(right, (left.width + GAP, LINE))
            strips.append(strip)
    return _laid("Images of two splits that look alike", strips, [])


def _laid(title: str, strips: Sequence[Image.Image], legends: Sequence[Image.Image]) -> Image.Image:
    """Strips in rows below the title, legends below them."""
    step = strips[0].width + 3 * GAP
    across = max(1, WIDTH // step)
    lines = [strips[start : start + across] for start in range(0, len(strips), across)]
    placed, top = [], TITLE
    for line in lines:
        placed += [(strip, (GAP + place * step, top)) for place, strip in enumerate(line)]
        top += max(strip.height for strip in line) + GAP
    for legend in legends:
        placed.append((legend, (0, top)))
        top += legend.height
    picture = Image.new("RGB", (WIDTH, top), "white")
    _write(picture, (GAP, 5), title, 15)
    for part, corner in placed:
        picture.paste(part, corner)
    return picture


def _strip(spec: DatasetSpec, example: Example) -> Image.Image:
    """One sample's id above its columns and labels, side by side."""
    smooth, crisp = Image.Resampling.LANCZOS, Image.Resampling.NEAREST  # the colours of labels must not mix
    shown = [(_visible(example.images[column]), smooth) for column in spec.images]
    shown += [(_painted(example.labels[head], label), crisp) for head, label in spec.labels.items()]
    tiles = [ImageOps.contain(Image.fromarray(pixels), (TILE, TILE), kind) for pixels, kind in shown]
    strip = Image.new("RGB", (len(tiles) * (TILE + GAP) - GAP, LINE + max(tile.height for tile in tiles)), "white")
    _write(strip, (0, 0), example.id, 11)
    for place, tile in enumerate(tiles):
        strip.paste(tile, (place * (TILE + GAP), LINE))
    return strip


def _visible(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Bytes as they are, millimetres in viridis from the nearest (bright) to the farthest."""
    if image.dtype == np.uint8:
        return image if image.ndim == 3 else np.repeat(image[..., None], 3, 2)
    low, high = int(image.min()), int(image.max())
    scaled = (image.astype(np.float64) - low) / max(high - low, 1)
    return np.asarray(mpl.colormaps["viridis_r"](scaled, bytes=True)[..., :3], np.uint8)


def _painted(label: NDArray[np.uint8], spec: LabelSpec) -> NDArray[np.uint8]:
    colors = np.full((256, 3), 255, np.uint8)
    colors[: len(spec.palette)] = spec.palette
    return colors[label]


def _legend(head: str, label: LabelSpec) -> Image.Image:
    across = WIDTH // LEGEND
    rows = -(-len(label.classes) // across)
    picture = Image.new("RGB", (WIDTH, TITLE + rows * (LINE + 2)), "white")
    _write(picture, (GAP, 8), head, 13)
    for place, (name, color) in enumerate(zip(drawable(label.classes, LETTERS), label.palette, strict=True)):
        x, y = GAP + place % across * LEGEND, TITLE + place // across * (LINE + 2)
        ImageDraw.Draw(picture).rectangle((x, y + 1, x + 18, y + LINE - 2), fill=color, outline="grey")
        _write(picture, (x + 24, y), name, 11)
    return picture


def _write(picture: Image.Image, at: tuple[int, int], text: str, height: int) -> None:
    text = "".join(letter if ord(letter) in LETTERS else "?" for letter in text)  # of an image's name
    ImageDraw.Draw(picture).text(at, text, fill="black", font=ImageFont.truetype(FONT, height - 1))


def bars(path: Path, title: str, label: LabelSpec, tables: Mapping[str, Mapping[str, Any]]) -> None:
    """Write a PNG of each split's ``share`` in ``tables`` ({class: of labelled pixels}) on a logarithmic scale.

    One panel per split, one row per class in its own colour. Classes stand in the label's order, so that the same row
    is the same class in every picture.
    """
    height = 1.1 + ROW * len(label.classes)
    figure = Figure(figsize=(2.0 + 2.6 * len(tables), height), dpi=100, layout="constrained")
    panels = figure.subplots(1, len(tables), sharey=True, squeeze=False)[0]
    places = range(len(label.classes))
    colors = [tuple(channel / 255 for channel in color) for color in label.palette]
    for axes, (split, table) in zip(panels, tables.items(), strict=True):
        widths = [table["share"][name] for name in label.classes]
        axes.barh(places, widths, color=colors, edgecolor="grey", linewidth=0.4)
        axes.set(xscale="log", xlim=(LEAST, 1.0))
        axes.set_title(split, fontsize=10)
        axes.grid(axis="x", linewidth=0.4, alpha=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(labelsize=8)
        for place in (place for place in places if not widths[place]):
            axes.text(LEAST * 1.3, place, "absent", fontsize=7, va="center", color="firebrick")
    panels[0].set_yticks(places, drawable(label.classes, LETTERS))
    panels[0].invert_yaxis()
    for tick in panels[0].get_yticklabels():
        tick.set_parse_math(False)  # a class may be called $
    figure.supxlabel("share of labelled pixels", fontsize=9)
    figure.suptitle(title, fontsize=11)
    figure.savefig(path, format="png", metadata={"Software": None})  # its version, which is no part of the picture
