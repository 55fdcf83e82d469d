"""A ladder close up: the same small window of image and label, and what each stride makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.panels import shown
from pipeline.panels.shown import Pixels, Shown
from pipeline.published import ladder
from pipeline.report import page
from pipeline.report.figures import Figures

Mask = NDArray[np.bool_]
Counts = NDArray[np.int64]
Rungs = Mapping[str, Shown]  # one image and head by recipe, from the coarsest net to the finest
SIDE = 80  # pixels of a window at most: two and a half cells of the coarsest net
PART = 3  # of the image's shorter side, where that is less
STEP = 4  # pixels between the windows that are looked at
TILE = 144  # pixels that a window is enlarged to, about: by a whole factor
SHOWN = 3
RULE = (
    "Chosen by rule: in every window of the evenly spread images whose middle holds an edge of the label, those pixels "
    "are counted that the finest net has right and the coarsest gives to another class of the window's label, less "
    f"those that only the coarsest has right. The {SHOWN} images with the largest counts are shown, each by its best "
    "window, enlarged. White is void; the share of the other pixels that are right stands below."
)


@dataclass(frozen=True, kw_only=True)
class Window:
    """A square in an image, ``gain`` the pixels that the finest net gets right beyond the coarsest."""

    gain: int
    rungs: Rungs
    box: tuple[int, int, int, int]


def section(evaluations: Path, recipes: Sequence[str], figures: Figures) -> Iterator[str]:
    """A table for each ladder and head; Markdown, nothing where no two strides show the same images."""
    tables = [block for family in ladder.ladders(recipes) for block in _family(evaluations, family, figures)]
    if tables:
        yield "## The ladder close up"
        yield RULE
        yield from tables


def _family(evaluations: Path, family: Sequence[str], figures: Figures) -> Iterator[str]:
    read = {recipe: shown.read(evaluations / recipe) for recipe in family}
    nets = {recipe: {(row.head, row.place): row for row in rows if row.spread} for recipe, rows in read.items() if rows}
    if len(nets) < 2:
        return
    first, *others = nets.values()
    common = [key for key, row in first.items() if all(_alike(row, other.get(key)) for other in others)]
    for head in dict.fromkeys(head for head, _ in common):
        images = [{recipe: rows[key] for recipe, rows in nets.items()} for key in common if key[0] == head]
        windows = sorted(filter(None, map(best, images)), key=lambda window: -window.gain)[:SHOWN]
        if windows:
            yield f"### {ladder.title(family[0], head)}"
            yield _table(windows, head, figures)


def _alike(one: Shown, other: Shown | None) -> bool:
    """Whether both are of the same image and truth, whose indices mean the same."""
    same = other and (one.id, one.label.classes) == (other.id, other.label.classes)
    return bool(other and same and np.array_equal(one.truth, other.truth))


def best(rungs: Rungs) -> Window | None:
    """The window of most gain in one image, the first of equals; None where no window with an edge gains a pixel."""
    first, *_, last = rungs.values()
    label, coarse, fine, legal = first.truth, first.predicted, last.predicted, _legal(first)
    height, width = label.shape
    side = min(SIDE, max(1, min(height, width) // PART))
    gains = -_sums((coarse == label) & (fine != label) & legal, side)
    for index in np.unique(label[legal]):
        moved = (coarse == index) & (label != index) & (fine == label) & legal
        gains += np.where(_sums(label == index, side) > 0, _sums(moved, side), 0)
    middle, inner = side // 3, max(1, side - 2 * (side // 3))
    edged = _sums(_edges(label), inner)[middle:, middle:][: gains.shape[0], : gains.shape[1]] > 0
    gains = np.where(edged, gains, 0)[::STEP, ::STEP]
    top, left = (STEP * int(place) for place in np.unravel_index(gains.argmax(), gains.shape))
    box = (left, top, left + side, top + side)
    return Window(gain=int(gains.max()), rungs=rungs, box=box) if gains.max() > 0 else None


def _legal(row: Shown) -> Mask:
    """Pixels that are not void."""
    return np.asarray(row.truth != row.label.ignore_label)


def _edges(label: Pixels) -> Mask:
    """Pixels unlike the one to their right or below."""
    edge = np.zeros(label.shape, np.bool_)
    edge[:, :-1] |= label[:, 1:] != label[:, :-1]
    edge[:-1] |= label[1:] != label[:-1]
    return edge


def _sums(mask: Mask, side: int) -> Counts:
    """How many pixels each square of ``side`` has in ``mask``, by its upper left corner."""
    total = np.pad(mask.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    return np.asarray(total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side])


def _share(row: Shown) -> str:
    """Of the pixels that are not void, those that are right."""
    legal = _legal(row)
    return f"{(row.predicted == row.truth)[legal].mean():.0%}" if legal.any() else page.NOTHING


def _table(windows: Sequence[Window], head: str, figures: Figures) -> str:
    """Image, label and a column for each net; a line of pictures and one of shares for each window."""
    recipes = [*windows[0].rungs]
    lines: list[list[str]] = []
    for rank, window in enumerate(windows, 1):
        rungs = {recipe: row.crop(window.box) for recipe, row in window.rungs.items()}
        first = rungs[recipes[0]]
        columns = {name: first.tiles()[name] for name in ("image", "label")}
        columns |= {recipe: row.tiles()["prediction"] for recipe, row in rungs.items()}
        stem = f"zoom-{recipes[-1]}-{head}-{rank}"
        where = f"of {first.place}-{first.id}, {window.box[0]},{window.box[1]}"
        lines.append(
            [figures.picture(f"{stem}-{name}", f"{name} {where}", _large(tile)) for name, tile in columns.items()]
        )
        lines.append(["", "", *map(_share, rungs.values())])
    return page.table(["image", "label", *recipes], [], lines)


def _large(tile: Pixels) -> Image.Image:
    factor = max(1, round(TILE / tile.shape[1]))
    return Image.fromarray(tile.repeat(factor, 0).repeat(factor, 1))
