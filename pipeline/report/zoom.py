"""A ladder close up: the same small window of image and label, and what each stride makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.report import hist, ladder, page, tiles
from pipeline.report.figures import Figures

Mask = NDArray[np.bool_]
Codes = NDArray[np.int64]
VOID = 0xFFFFFF  # the white that panels paint it with
SIDE = 80  # pixels of a window at most: two and a half cells of the coarsest net
PART = 3  # of the image's shorter side, where that is less
STEP = 4  # pixels between the windows that are looked at
TILE = 144  # pixels that a window is enlarged to, about: by a whole factor
SHOWN = 3
RULE = (
    "Chosen by rule: in every window of the panels' images whose middle holds an edge of the label, those pixels are "
    "counted that the finest net has right and the coarsest gives to another class of the window's label, less those "
    f"that only the coarsest has right. The {SHOWN} images with the largest counts are shown, each by its best window, "
    "enlarged. White is void; the share of the other pixels that are right stands below."
)


@dataclass(frozen=True, kw_only=True)
class Window:
    """A square in a panel's image, ``gain`` the pixels that the finest net gets right beyond the coarsest."""

    gain: int
    name: str
    box: tuple[int, int, int, int]


def section(evaluations: Path, recipes: Sequence[str], figures: Figures) -> Iterator[str]:
    """A table for each ladder and head; Markdown, nothing where no two strides have panels of the same images."""
    tables = [block for family in ladder.ladders(recipes) for block in _family(evaluations, family, figures)]
    if tables:
        yield "## The ladder close up"
        yield RULE
        yield from tables


def _family(evaluations: Path, family: Sequence[str], figures: Figures) -> Iterator[str]:
    family = [recipe for recipe in family if (evaluations / recipe / "panels").is_dir()]
    heads = [*hist.read(evaluations, family[0])] if family else []
    if len(family) < 2 or not heads:
        return
    names = set.intersection(*({path.name for path in _panels(evaluations, recipe)} for recipe in family))
    cut = {
        name: {recipe: tiles.cut(evaluations / recipe / "panels" / name, len(heads)) for recipe in family}
        for name in sorted(names)
    }
    for row, head in enumerate(heads):
        rungs = {name: {recipe: rows[row] for recipe, rows in panel.items()} for name, panel in cut.items()}
        windows = [window for name, panel in rungs.items() if (window := best(name, [*panel.values()]))]
        windows = sorted(windows, key=lambda window: (-window.gain, window.name))[:SHOWN]
        if windows:
            yield f"### {ladder.title(family[0], head)}"
            yield _table(windows, rungs, head, figures)


def _panels(evaluations: Path, recipe: str) -> Iterator[Path]:
    return (evaluations / recipe / "panels").glob("*.png")


def best(name: str, rungs: Sequence[Sequence[Image.Image]]) -> Window | None:
    """The window of most gain in one image, ``rungs`` being its tiles from the coarsest net's to the finest's.

    None where no window with an edge gains a pixel.
    """
    label, coarse, fine = (_codes(tile) for tile in (rungs[0][1], rungs[0][2], rungs[-1][2]))
    height, width = label.shape
    side = min(SIDE, max(1, min(height, width) // PART))
    gains = -_sums((coarse == label) & (fine != label) & (label != VOID), side)
    for code in np.unique(label[label != VOID]):
        moved = (coarse == code) & (label != code) & (fine == label)
        gains += np.where(_sums(label == code, side) > 0, _sums(moved, side), 0)
    middle, inner = side // 3, max(1, side - 2 * (side // 3))
    edged = _sums(_edges(label), inner)[middle:, middle:][: gains.shape[0], : gains.shape[1]] > 0
    gains = np.where(edged, gains, 0)[::STEP, ::STEP]
    top, left = (STEP * int(place) for place in np.unravel_index(gains.argmax(), gains.shape))
    box = (left, top, left + side, top + side)
    return Window(gain=int(gains.max()), name=name, box=box) if gains.max() > 0 else None


def _codes(tile: Image.Image) -> Codes:
    """A number for each colour."""
    red, green, blue = np.moveaxis(np.asarray(tile, np.int64), 2, 0)
    return np.asarray(red << 16 | green << 8 | blue, np.int64)


def _edges(label: Codes) -> Mask:
    """Pixels unlike the one to their right or below."""
    edge = np.zeros(label.shape, np.bool_)
    edge[:, :-1] |= label[:, 1:] != label[:, :-1]
    edge[:-1] |= label[1:] != label[:-1]
    return edge


def _sums(mask: Mask, side: int) -> Codes:
    """How many pixels each square of ``side`` has in ``mask``, by its upper left corner."""
    total = np.pad(mask.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    return np.asarray(total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side])


def _share(label: Codes, predicted: Codes) -> str:
    """Of the pixels that are not void, those that are right."""
    legal = label != VOID
    return f"{(predicted == label)[legal].mean():.0%}" if legal.any() else page.NOTHING


def _table(
    windows: Sequence[Window],
    rungs: Mapping[str, Mapping[str, Sequence[Image.Image]]],
    head: str,
    figures: Figures,
) -> str:
    """Image, label and a column for each net; a line of pictures and one of shares for each window."""
    lines: list[list[str]] = []
    for rank, window in enumerate(windows, 1):
        panel = rungs[window.name]
        first = next(iter(panel.values()))
        columns = {"image": first[0], "label": first[1]} | {name: rung[2] for name, rung in panel.items()}
        cropped = {name: tile.crop(window.box) for name, tile in columns.items()}
        stem = f"zoom-{[*panel][-1]}-{head}-{rank}"
        where = f"of {window.name.removesuffix('.png')}, {window.box[0]},{window.box[1]}"
        lines.append(
            [figures.picture(f"{stem}-{name}", f"{name} {where}", _large(tile)) for name, tile in cropped.items()]
        )
        truth = _codes(cropped["label"])
        shares = [_share(truth, _codes(cropped[name])) for name in panel]
        lines.append(["", "", *shares])
    heads = ["image", "label", *next(iter(rungs.values()))]
    return page.table(heads, [], lines)


def _large(tile: Image.Image) -> Image.Image:
    factor = max(1, round(TILE / tile.width))
    return tile.resize((tile.width * factor, tile.height * factor), Image.Resampling.NEAREST)
