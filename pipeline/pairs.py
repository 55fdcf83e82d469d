"""Find the images and labels of a folder by the names that tools give, and which folders or lists are splits."""

import glob
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from pipeline.core.types import Refusal
from pipeline.datasets.own import folder
from pipeline.datasets.own.folder import Layout
from pipeline.datasets.own.pattern import translated
from pipeline.names import Folder
from pipeline.ways import COCO, Files, Tree, Way, document, ways

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
SHARES = [[f"train=0.{10 - tenth}", f"val=0.{tenth}"] for tenth in (2, 3, 4, 5)]
FRAMES = 3  # of a video, on average at least
VIDEO = re.compile(r"\d|frame|video|clip|seq|cam", re.IGNORECASE)  # in its name: oak_01 and elm_01 are no frames


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """The row's patterns, splits and group, and what the folder's own reader finds by them.

    ``encoding`` is masks, coco or labelme, or "" where the labels' pixels tell it. ``classes`` are those that have
    masks of their own. ``told`` are lines for the reader: files that are not used, frames of videos.
    """

    root: Path
    images: str
    labels: str
    encoding: str
    classes: Sequence[str]
    splits: Sequence[str]
    group: str | None
    layout: Layout
    told: Sequence[str]

    @property
    def ids(self) -> list[str]:
        return [name for names in self.layout.splits.values() for name in names]


def find(name: str, root: Path, images: str = "", labels: str = "") -> Pairs:
    """The images and labels below ``root``: by the patterns given, else by the names of folders and files.

    Raises Refusal where no image has a label, telling what was looked for and what is there, and for halves of pairs.
    """
    if bool(images) != bool(labels):
        raise Refusal(f"--{'images' if images else 'labels'} alone pairs nothing: give both --images and --labels")
    if not root.is_dir():
        raise Refusal(f"{root} is no folder: write the path of the folder with your images and labels")
    seen = [Folder(text) for text in sorted(glob.glob("**/*", root_dir=root, recursive=True))]  # noqa: PTH207 - no hidden
    seen = [path for path in seen if not (root / path).is_dir()]
    tree = Tree(root, seen, _by_folder(seen, ENDINGS), _by_folder(seen, (".json",)))
    way = Way(images, labels, [], _classes(labels, seen)) if images else next(filter(None, ways(tree)), None)
    if way is None:
        raise Refusal(f"{root} has no images with labels: {_missing(tree)}")
    return _read(name, tree, way)


def _by_folder(paths: Iterable[Folder], endings: Collection[str]) -> Files:
    folders: dict[Folder, list[str]] = {}
    for path in paths:
        if path.suffix.lower() in endings:
            folders.setdefault(path.parent, []).append(path.name)
    return folders


def _read(name: str, tree: Tree, way: Way) -> Pairs:
    """What a row reads: with these splits, VOC's lists, or the first shares that leave no split empty."""
    lists = {split: f"ImageSets/Segmentation/{split}.txt" for split in ("train", "val", "test")}
    kept = [f"{split}={path}" for split, path in lists.items() if (tree.root / path).is_file()]
    given = [way.splits] if way.splits else [kept] if len(kept) > 1 else []
    encoding = _encoding(tree, way.labels)
    row: dict[str, Any] = {"root": str(tree.root), "images": way.images, "labels": way.labels}
    row |= {"encoding": encoding or "index", "classes": ["background", *way.classes] if way.classes else ["a", "b"]}
    layout = folder.parse(name, row).survey(tree.root) if not given else None
    group = _group(sorted(layout.images.keys() & layout.labels.keys())) if layout else None
    for kept_together, splits in product(dict.fromkeys((group, None)), given or SHARES):
        layout = folder.parse(name, {**row, "splits": splits, "group": kept_together}).survey(tree.root)
        if all(layout.splits.values()):
            break
    assert layout is not None
    if layout.problems:
        more = f" (the first of {len(layout.problems)} such problems)" if layout.problems[1:] else ""
        raise Refusal(f"{layout.problems[0]}{more}")
    told = []
    if group:
        few = "frames of too few videos: those of one are in train and in val, so scores will be too good"
        told.append(f"frames of videos: {group} keeps those of one in one split" if kept_together else few)
    return Pairs(
        root=tree.root, images=way.images, labels=way.labels, encoding=encoding, classes=way.classes, splits=splits,
        group=kept_together, layout=layout, told=[*told, *_unused(tree, layout, splits)],
    )  # fmt: skip


def _classes(labels: str, seen: Sequence[Folder]) -> list[str]:
    """What ``{class}`` of a pattern stands for, what is before it being as long as can be."""
    pattern = re.compile(translated(labels, {"{id}": ".+", "{class}": "(?P<class>[^/]+)"}))
    found = (pattern.fullmatch(str(path)) for path in seen if "{class}" in labels)
    return sorted({match["class"] for match in found if match})


def _encoding(tree: Tree, labels: str) -> str:
    if labels.endswith(".json"):
        found = glob.iglob(re.sub(r"\{\w+\}", "*", labels), root_dir=tree.root, recursive=True)  # noqa: PTH207 - no hidden
        return "coco" if {*document(tree.root / next(found, ""))} >= COCO else "labelme"
    return "masks" if "{class}" in labels else ""


def _unused(tree: Tree, layout: Layout, splits: Sequence[str]) -> Iterator[str]:
    """A line that counts, by their endings, the files that the row does not read."""
    used = {rule.partition("=")[2] for rule in splits}
    for name in (name for names in layout.splits.values() for name in names):
        used |= {layout.images[name], *layout.labels.get(name, {}).values()}
    others: dict[str, list[str]] = {}
    for path in tree.seen:
        if str(path) not in used:
            others.setdefault(path.suffix or "without an ending", []).append(str(path))
    parts = [f"{len(paths)} {ending} ({paths[0]}{', …' * bool(paths[1:])})" for ending, paths in others.items()]
    if parts:
        yield f"not used: {', '.join(parts)}"


def _group(ids: Sequence[str]) -> str | None:
    """The row's ``group`` where names are plainly a video's and a number that goes up in steps: 0001TP_006690."""
    for mark in "/_- ":
        videos: dict[str, list[int]] = {}
        for match in (re.fullmatch(rf"(.+){mark}\D{{0,6}}?(\d+)", name) for name in ids):
            if not match or not (len(match[2]) > 3 if mark == "/" else VIDEO.search(PurePosixPath(match[1]).name)):
                break
            videos.setdefault(match[1], []).append(int(match[2]))
        else:
            steps = Counter(step for numbers in videos.values() for step in np.diff(sorted(numbers)).tolist())
            if 1 < len(videos) <= len(ids) / FRAMES and 2 * max(steps.values()) >= steps.total():
                return f"{{group}}{mark}*"
    return None


def _missing(tree: Tree) -> str:
    there = "; ".join(f"{each}/ has {len(names)}, such as {names[0]}" for each, names in [*tree.pictures.items()][:4])
    looked = "looked for images/ with masks/, labels/ or annotations/, also in or around train/, val/ and test/"
    hint = ""
    if any("mask" in name.lower() for names in tree.pictures.values() for name in names):
        hint = "; masks beside images that are PNGs, too, must move into a folder of their own"
    beside = "for x.jpg beside x.png or x_mask.png, and for COCO's or labelme's JSON"
    return f"{looked}, {beside}; {there or 'no picture is there'}: give --images and --labels{hint}"
