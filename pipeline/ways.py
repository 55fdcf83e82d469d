"""The ways in which tools lay out images and labels, as patterns and splits of a row of ``folders``."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations, product
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from pipeline.names import Folder, around, common, ending, folder_splits, place

PREFIXES, SUFFIXES = ("", "image_", "img_"), ("", "_image", "_img", "_rgb", "_leftImg8bit")
ASIDE = ("instance", "color")  # in names of what tools write beside class indices
COCO = {"images", "annotations", "categories"}  # keys of such JSON
MOST = 20  # folders that are compared where no name tells their use, and JSON files that are opened

Files = Mapping[Folder, Sequence[str]]
Both = Sequence[tuple[Folder, Folder]]
Affix = tuple[str, str, str]
"""What stands before and after the id in a file's name, and the ending or ``.*``."""


class Tree(NamedTuple):
    """What lies below ``root``: all files, and the names of pictures and of JSON documents by their folder."""

    root: Path
    seen: Sequence[Folder]
    pictures: Files
    documents: Files


class Way(NamedTuple):
    """A way to read a folder: patterns and splits of the row, and the classes that have masks of their own."""

    images: str
    labels: str
    splits: Sequence[str]
    classes: Sequence[str] = ()


def ways(tree: Tree) -> Iterator[Way | None]:
    """The surest way first; None for one that this folder does not go."""
    pictures = tree.pictures
    yield _paired(tree, pictures, _sides(pictures, pictures))
    masks = {one: [name for name in names if _is_png(name)] for one, names in pictures.items()}
    mixed = [one for one in pictures if 0 < len(masks[one]) < len(pictures[one])]
    largest = place(max(mixed, key=lambda one: len(masks[one]), default=Folder())).key
    yield _paired(tree, masks, [(one, one) for one in mixed if place(one).key == largest])
    coco, outlines = [], dict[Folder, Sequence[str]]()
    for one, names in tree.documents.items():
        keys = {name: {*document(tree.root / one / name)} for name in names[:MOST]}
        coco += [one / name for name in keys if keys[name] >= COCO]
        outlines |= {one: names} if any("shapes" in each for each in keys.values()) else {}
    yield _coco(tree, [path for path in coco if "instances" in path.name] or coco)
    yield _paired(tree, outlines, [(one, one) for one in outlines if one in pictures] or _sides(pictures, outlines))
    yield _paired(tree, pictures, [pair for pair in permutations([*pictures][:MOST], 2) if _by_size(tree, *pair)][:1])


def document(path: Path) -> Mapping[str, Any]:
    """A JSON object; empty for other files."""
    try:
        found = json.loads(path.read_bytes())
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _sides(images: Files, labels: Files) -> Both:
    """Folders that differ in words for images, labels alone: train/images and train/masks, test and testannot.

    Where there are none, the labels may lie a folder deeper, in one for each class perhaps.
    """
    by_key = {}
    for one in sorted(images, key=lambda each: place(each).side):  # what is named images replaces what has no word
        if (at := place(one)).side != "labels":
            by_key[at.key, at.split] = one
    for deeper in (False, True):
        found: dict[Any, tuple[Folder, Folder]] = {}
        for one in labels:
            at = place(one.parent if deeper else one)
            if at.side == "labels" and (image := by_key.get((at.key, at.split))) is not None:
                found.setdefault((image, deeper and one.name), (image, one))
        if found:
            return [*found.values()]
    return []


def _paired(tree: Tree, labels: Files, both: Both) -> Way | None:
    """How images and ``labels`` in pairs of folders are read, their names telling which belong together."""
    depths = Counter[tuple[int, ...]]()  # of which the most are taken, for one pattern to say them all
    for image, label in both:
        depths[len(image.parts), len(label.parts)] += len(tree.pictures[image])
    both = [pair for pair in both if tuple(len(one.parts) for one in pair) == depths.most_common(1)[0][0]]
    if (affixes := _affixes(tree, labels, both)) is None:
        return None
    classes, wild = affixes.classes, "*"
    if len({image for image, _ in both}) < len(both):  # several folders of labels for one of images
        if all(_is_mask(tree.root / label / labels[label][0]) for _, label in both):
            classes, wild = sorted({label.name for _, label in both}), "{class}"
        else:
            both = [*{image: (image, label) for image, label in reversed(both)}.values()]
    images, truths = ([*dict.fromkeys(pair[side] for pair in both)] for side in (0, 1))
    joint = images[0] in truths
    return Way(
        f"{common(images)}/{_name(tree, tree.pictures, images, affixes.image, joint)}".removeprefix("./"),
        f"{common(truths, wild)}/{_name(tree, labels, truths, affixes.label, joint)}".removeprefix("./"),
        folder_splits(images),
        classes,
    )


def _name(tree: Tree, files: Files, folders: Sequence[Folder], affix: Affix, joint: bool) -> str:
    """The pattern of files' names; * where nothing else lies there."""
    before, after, last = affix
    if before or after:
        return f"{before}{{id}}{after}{last}"
    alone = all(path.name in files[path.parent] for path in tree.seen if path.parent in folders)
    return "*" if alone and not joint and last != ".json" else f"*{last}"


class Affixes(NamedTuple):
    """Of images and of labels; of these ``{class}`` may stand after the id, for one of ``classes``."""

    image: Affix
    label: Affix
    classes: Sequence[str] = ()


def _affixes(tree: Tree, labels: Files, both: Both) -> Affixes | None:
    """The way that pairs most names of the largest folder; None where none pairs any."""
    if not both:
        return None
    image, label = max(both, key=lambda pair: len(tree.pictures[pair[0]]))
    names = [[name for name in tree.pictures[image] if image != label or name not in labels[label]], [*labels[label]]]
    stems = [sorted({PurePosixPath(name).stem for name in each}) for each in names]
    best, found = Counter[tuple[str, str]](), ("", "")
    for before, after in product(PREFIXES, SUFFIXES):
        fits = [stem for stem in stems[0] if stem.startswith(before) and stem.endswith(after)]
        ids = {stem[len(before) : len(stem) - len(after)] for stem in fits} - {""}
        counts = around(ids, stems[1][:: len(stems[1]) // 200 + 1])
        if max(counts.values(), default=0) > max(best.values(), default=0):
            best, found = counts, (before, after)
    if not best:
        return None
    image_affix, last = (*found, ending(names[0])), ending(names[1])
    befores, marks = {left for left, _ in best}, {right[:1] for _, right in best}
    first = [next(name for name in names[1] if PurePosixPath(name).stem.endswith(right)) for _, right in best]
    joined = len(best) > 1 and len(befores) == len(marks) == 1 and marks < {"_", "-", "."}
    if joined and all(_is_mask(tree.root / label / name) for name in first):
        classes = sorted(right[1:] for _, right in best)
        return Affixes(image_affix, (befores.pop(), f"{marks.pop()}{{class}}", last), classes)
    often = [each for each in best if 2 * best[each] >= max(best.values())]
    chosen = max(often, key=lambda each: (not any(word in each[1].lower() for word in ASIDE), best[each], each[1]))
    return Affixes(image_affix, (*chosen, last))


def _is_png(name: str) -> bool:
    return name.lower().endswith(".png")


def _is_mask(path: Path) -> bool:
    """Whether a picture has 0 and at most one other value; False for what does not decode."""
    try:
        with Image.open(path) as image:
            values = np.unique(np.asarray(image))
    except (OSError, Image.DecompressionBombError):
        return False
    return len(values) < 3 and 0 in values


def _by_size(tree: Tree, one: Folder, other: Folder) -> bool:
    """Whether two folders of other names hold pairs: labels are PNGs, and smaller files than photographs."""
    folders = tree.pictures
    if not all(map(_is_png, folders[other])) or _affixes(tree, folders, [(one, other)]) is None:
        return False
    sizes = [sum((tree.root / each / name).stat().st_size for name in folders[each][:20]) for each in (one, other)]
    return sizes[0] / len(folders[one][:20]) > sizes[1] / len(folders[other][:20])


def _coco(tree: Tree, documents: Sequence[Folder]) -> Way | None:
    """COCO's JSON, and the folders that hold the images it lists."""
    found = [document(tree.root / path)["images"] for path in documents]
    listed = {PurePosixPath(image.get("file_name", "")).name for images in found for image in images[:MOST]}
    folders = [one for one, names in tree.pictures.items() if listed & {*names}]
    if not folders:
        return None
    folders = [one for one in folders if len(one.parts) == len(folders[0].parts)]
    endings = ending([name for one in folders for name in tree.pictures[one]])
    labels = common([path for path in documents if len(path.parts) == len(documents[0].parts)])
    return Way(f"{common(folders)}/*{endings}".removeprefix("./"), labels, folder_splits(folders))
