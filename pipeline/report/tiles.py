"""Images beside what nets make of them: a ladder close up, and the finest net's best, median and worst."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from pipeline.panels.panels import TILES, Shown
from pipeline.published import ladder
from pipeline.report import page
from pipeline.report.figures import Figures, escaped
from pipeline.report.inputs import Outputs

Rungs = Mapping[str, Shown]  # one image and head by recipe, from the coarsest net to the finest
SIDE = 80  # pixels of a window at most: two and a half cells of the coarsest net
PART = 3  # of the image's shorter side, where that is less
STEP = 4  # pixels between the windows that are looked at
TILE = 144  # pixels that a window is enlarged to, about: by a whole factor
SHOWN = 3
EXTREME = 180  # pixels of the longer side of the best, median and worst


class Window(NamedTuple):
    """A square (left, top, right, bottom) in an image; the finest net gets ``gain`` more of its pixels right."""

    gain: int
    box: tuple[int, int, int, int]
    rungs: Rungs


def close_up(outputs: Outputs, figures: Figures) -> str:
    """Markdown, a table for each ladder and head where two strides or more show the same images."""
    families = ladder.ladders(recipe for recipe in outputs.recipes if outputs.shown[recipe])
    return "\n\n".join(block for family in families for block in _family(outputs, family, figures))


def _family(outputs: Outputs, family: Sequence[str], figures: Figures) -> Iterator[str]:
    nets = {recipe: {(row.head, row.place): row for row in outputs.shown[recipe] if row.spread} for recipe in family}
    if len(nets) < 2:
        return
    first, *others = nets.values()
    common = [key for key, row in first.items() if all(_alike(row, other.get(key)) for other in others)]
    for head in dict.fromkeys(head for head, _ in common):
        images = [{recipe: rows[key] for recipe, rows in nets.items()} for key in common if key[0] == head]
        windows = sorted(filter(None, map(best, images)), key=lambda window: -window.gain)[:SHOWN]
        if windows:
            yield f"### {ladder.title(family[0], head)}"
            yield _windows(windows, head, figures)


def _alike(one: Shown, other: Shown | None) -> bool:
    """Whether both are of the same image and truth, whose indices mean the same."""
    if other is None or (one.id, one.label.classes) != (other.id, other.label.classes):
        return False
    return np.array_equal(one.truth, other.truth)


def best(rungs: Rungs) -> Window | None:
    """The window of most gain in one image, the first of equals; None where no window with an edge gains a pixel."""
    first, *_, last = rungs.values()
    label, coarse, fine, legal = first.truth, first.predicted, last.predicted, _legal(first)
    side = min(SIDE, max(1, min(label.shape) // PART))
    gains = -_sums((coarse == label) & (fine != label) & legal, side)
    for index in np.unique(label[legal]):
        moved = (coarse == index) & (label != index) & (fine == label) & legal
        gains += np.where(_sums(label == index, side) > 0, _sums(moved, side), 0)
    edges = np.zeros(label.shape, np.bool_)  # pixels unlike the one to their right or below
    edges[:, :-1] |= label[:, 1:] != label[:, :-1]
    edges[:-1] |= label[1:] != label[:-1]
    middle, inner = side // 3, max(1, side - 2 * (side // 3))
    edged = _sums(edges, inner)[middle:, middle:][: gains.shape[0], : gains.shape[1]] > 0
    gains = np.where(edged, gains, 0)[::STEP, ::STEP]
    top, left = (STEP * int(place) for place in np.unravel_index(gains.argmax(), gains.shape))
    return Window(int(gains.max()), (left, top, left + side, top + side), rungs) if gains.max() > 0 else None


def _legal(row: Shown) -> NDArray[np.bool_]:
    """Pixels that are not void."""
    return np.asarray(row.truth != row.label.ignore_label)


def _sums(mask: NDArray[np.bool_], side: int) -> NDArray[np.int64]:
    """How many pixels each square of ``side`` has in ``mask``, by its upper left corner."""
    total = np.pad(mask.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    return np.asarray(total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side])


def _windows(windows: Sequence[Window], head: str, figures: Figures) -> str:
    """Image, label and a column for each net; a line of pictures and one of shares for each window."""
    recipes = [*windows[0].rungs]
    lines: list[list[str]] = []
    for rank, window in enumerate(windows, 1):
        rungs = {recipe: row.crop(window.box) for recipe, row in window.rungs.items()}
        first = rungs[recipes[0]]
        columns = {name: first.tiles()[name] for name in ("image", "label")}
        columns |= {recipe: row.tiles()["prediction"] for recipe, row in rungs.items()}
        where = f"of {first.place}-{first.id}, {window.box[0]},{window.box[1]}"
        line = []
        for name, tile in columns.items():
            factor = max(1, round(TILE / tile.shape[1]))
            large = Image.fromarray(tile.repeat(factor, 0).repeat(factor, 1))
            line.append(figures.picture(f"zoom-{recipes[-1]}-{head}-{rank}-{name}", f"{name} {where}", large))
        lines += [line, ["", "", *map(_share, rungs.values())]]
    return page.table(["image", "label", *recipes], [], lines)


def _share(row: Shown) -> str:
    """Of the pixels that are not void, those that are right."""
    legal = _legal(row)
    return f"{(row.predicted == row.truth)[legal].mean():.0%}" if legal.any() else page.NOTHING


def extremes(outputs: Outputs, figures: Figures) -> str:
    """Markdown, a table for the finest net of each data set: its images that were chosen by score."""
    blocks = []
    for recipe in ladder.finest(outputs.recipes):
        if rows := [row for row in outputs.shown[recipe] if not row.spread]:
            scores = {key: f"{mean_iu:.1f} %" for key, mean_iu in outputs.images.get(recipe, {}).items()}
            blocks += [f"### {ladder.dataset(recipe)}: {recipe}", _extremes(recipe, rows, scores, figures)]
    return "\n\n".join(blocks)


def _extremes(recipe: str, rows: Sequence[Shown], scores: Mapping[tuple[str, str], str], figures: Figures) -> str:
    """The scores of all heads beside the first one; a line of tiles for each head."""
    heads = [*dict.fromkeys(row.head for row in rows)]
    lines = []
    for row in rows:
        each = ", ".join(f"{head} {scores.get((head, row.id), page.NOTHING)}" for head in heads)
        each = each.replace("semantic ", "") if len(heads) == 1 else each
        line = [f"**{row.place.partition('-')[0]}** {escaped(row.id)}: mean IU {each}" if row.head == heads[0] else ""]
        for kind, tile in row.tiles().items():
            method = Image.Resampling.LANCZOS if kind == "image" else Image.Resampling.NEAREST  # no colours that mix
            picture = ImageOps.contain(Image.fromarray(tile), (EXTREME, EXTREME), method)
            line.append(figures.picture(f"{row.place}-{recipe}-{row.head}-{kind}", f"{kind} of {row.id}", picture))
        lines.append(line)
    return page.table(["", *TILES], [], lines)
