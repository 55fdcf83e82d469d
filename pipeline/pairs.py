"""Find the images and labels of a folder by the names that tools give, and which folders or lists are splits."""

from __future__ import annotations

import glob
import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from pipeline.core.types import Refusal
from pipeline.datasets.own import folder
from pipeline.datasets.own.folder import Layout
from pipeline.datasets.own.pattern import SPLITS

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
IMAGES = {"images", "image", "imgs", "img", "jpegimages", "photos", "photographs", "pictures", "rgb", "leftimg8bit"}
LABELS = {"masks", "mask", "labels", "label", "annotations", "annotation", "annot", "ann", "truth", "gt", "gtfine"} | {
    "segmentationclass",
    "json",
}
WORDS = "|".join(sorted(SPLITS, key=len, reverse=True))
PREFIXES, SUFFIXES = ("", "image_", "img_"), ("", "_image", "_img", "_rgb", "_leftImg8bit")
ASIDE = ("instance", "color")  # in names of what tools write beside class indices
COCO = {"images", "annotations", "categories"}  # keys of such JSON
MOST = 20  # folders that are compared where no name tells their use, and JSON files that are opened
SHARES = [[f"train=0.{10 - tenth}", f"val=0.{tenth}"] for tenth in (2, 3, 4, 5)]
FRAMES = 3  # of a video, on average at least
VIDEO = re.compile(
    r"\d|frame|video|clip|seq|cam", re.IGNORECASE
)  # in its name: those of oak_01 and elm_01 are no videos

Folder = PurePosixPath
Files = Mapping[Folder, Sequence[str]]
Both = Sequence[tuple[Folder, Folder]]


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
    way = Way(images, labels, []) if images else next(filter(None, _ways(tree)), None)
    if way is None:
        raise Refusal(f"{root} has no images with labels: {_missing(tree)}")
    return _read(name, tree, way)


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


def _by_folder(paths: Iterable[Folder], endings: Collection[str]) -> Files:
    folders: dict[Folder, list[str]] = {}
    for path in paths:
        if path.suffix.lower() in endings:
            folders.setdefault(path.parent, []).append(path.name)
    return folders


def _ways(tree: Tree) -> Iterator[Way | None]:
    """The surest way first; None for one that this folder does not go."""
    pictures = tree.pictures
    yield _paired(tree, pictures, _sides(pictures, pictures))
    masks = {one: [name for name in names if name.lower().endswith(".png")] for one, names in pictures.items()}
    mixed = [one for one in pictures if 0 < len(masks[one]) < len(pictures[one])]
    largest = _place(max(mixed, key=lambda one: len(masks[one]), default=Folder())).key
    yield _paired(tree, masks, [(one, one) for one in mixed if _place(one).key == largest])
    coco, outlines = [], dict[Folder, Sequence[str]]()
    for one, names in tree.documents.items():
        keys = {name: {*_document(tree.root / one / name)} for name in names[:MOST]}
        coco += [one / name for name in keys if keys[name] >= COCO]
        outlines |= {one: names} if any("shapes" in each for each in keys.values()) else {}
    yield _coco(tree, [path for path in coco if "instances" in path.name] or coco)
    yield _paired(tree, outlines, [(one, one) for one in outlines if one in pictures] or _sides(pictures, outlines))
    yield _paired(tree, pictures, [pair for pair in permutations([*pictures][:MOST], 2) if _by_size(tree, *pair)][:1])


def _document(path: Path) -> Mapping[str, Any]:
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
    for one in sorted(images, key=lambda each: _place(each).side):  # what is named images replaces what has no word
        if (place := _place(one)).side != "labels":
            by_key[place.key, place.split] = one
    for deeper in (False, True):
        found: dict[Any, tuple[Folder, Folder]] = {}
        for one in labels:
            place = _place(one.parent if deeper else one)
            if place.side == "labels" and (image := by_key.get((place.key, place.split))) is not None:
                found.setdefault((image, deeper and one.name), (image, one))
        if found:
            return [*found.values()]
    return []


class Place(NamedTuple):
    """What a folder's path says: its split, its side, ``images``, ``labels`` or "", and what is left without these."""

    key: tuple[tuple[str, ...], ...]
    split: str
    side: str


def _place(path: Folder) -> Place:
    key, split, side = [], "", ""
    for part in path.parts:
        rest = []
        for token in re.findall(r"[^\W_]+", part.lower()):
            before, inner, after = re.fullmatch(rf"({WORDS})?(.*?)({WORDS})?", token).groups("")  # type: ignore[union-attr]
            if inner and inner not in IMAGES | LABELS and not inner.isdigit():
                before, inner, after = "", token, ""
            split = split or SPLITS.get(before or after, "")
            side = "labels" if inner in LABELS else side or "images" * (inner in IMAGES)
            rest += [inner] if inner and inner not in IMAGES | LABELS else []
        key += [tuple(rest)] if rest else []
    return Place(tuple(key), split, side)


def _by_size(tree: Tree, one: Folder, other: Folder) -> bool:
    """Whether two folders of other names hold pairs: labels are PNGs, and smaller files than photographs."""
    folders = tree.pictures
    png = all(name.lower().endswith(".png") for name in folders[other])
    if not png or _affixes(tree, folders, [(one, other)]) is None:
        return False
    sizes = [sum((tree.root / each / name).stat().st_size for name in folders[each][:20]) for each in (one, other)]
    return sizes[0] / len(folders[one][:20]) > sizes[1] / len(folders[other][:20])


def _paired(tree: Tree, labels: Files, both: Both) -> Way | None:
    """How images and ``labels`` in pairs of folders are read, their names telling which belong together."""
    depths = Counter[tuple[int, int]]()  # of which the most are taken, for one pattern to say them all
    for image, label in both:
        depths[len(image.parts), len(label.parts)] += len(tree.pictures[image])
    both = [
        pair for pair in both if tuple(len(one.parts) for one in pair) == max(depths, key=lambda each: depths[each])
    ]
    if (affixes := _affixes(tree, labels, both)) is None:
        return None
    classes: Sequence[str] = affixes.classes
    wild = "*"
    if len({image for image, _ in both}) < len(both):  # folders of masks
        if all(_is_mask(tree.root / label / labels[label][0]) for _, label in both):
            classes, wild = sorted({label.name for _, label in both}), "{class}"
        else:
            both = [*{image: (image, label) for image, label in reversed(both)}.values()]
    pattern = []
    for chosen, own, affix, mark in ((0, tree.pictures, affixes.image, "*"), (1, labels, affixes.label, wild)):
        folders = {pair[chosen] for pair in both}
        pure = affix[2] != ".json" and all(
            path.name in own[path.parent] for path in tree.seen if path.parent in folders
        )
        before, after, ending = affix
        name = (
            f"{before}{{id}}{after}{ending}"
            if before or after
            else "*"
            if pure and both[0][0] != both[0][1]
            else f"*{ending}"
        )
        pattern.append(f"{_common([*folders], mark)}/{name}".removeprefix("./"))
    return Way(pattern[0], pattern[1], _folder_splits([image for image, _ in both]), classes)


class Affixes(NamedTuple):
    """What stands before and after the id in the names of images and of labels, and their ending, or ``.*``.

    After a label's id ``{class}`` may stand, for one of ``classes``.
    """

    image: tuple[str, str, str]
    label: tuple[str, str, str]
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
        around = _around(ids, stems[1][:: len(stems[1]) // 200 + 1])
        if max(around.values(), default=0) > max(best.values(), default=0):
            best, found = around, (before, after)
    if not best:
        return None
    endings = [_ending(each) for each in names]
    first = {around: next(name for name in names[1] if PurePosixPath(name).stem.endswith(around[1])) for around in best}
    befores, marks = {left for left, _ in best}, {right[:1] for _, right in best}
    if len(best) > 1 and len(befores) == len(marks) == 1 and marks < {"_", "-", "."}:
        if all(_is_mask(tree.root / label / name) for name in first.values()):
            label_affix = befores.pop(), f"{marks.pop()}{{class}}", endings[1]
            return Affixes((*found, endings[0]), label_affix, sorted(right[1:] for _, right in best))
    often = [around for around in best if 2 * best[around] >= max(best.values())]
    chosen = max(often, key=lambda each: (not any(word in each[1].lower() for word in ASIDE), best[each], each[1]))
    return Affixes((*found, endings[0]), (*chosen, endings[1]))


def _around(ids: set[str], stems: Sequence[str]) -> Counter[tuple[str, str]]:
    """How often labels are an id with a certain text before and after it."""
    counts: Counter[tuple[str, str]] = Counter()
    for stem in stems:
        cuts = [(start, end) for start in range(len(stem)) for end in range(len(stem), start, -1)]
        cut = max((cut for cut in cuts if stem[slice(*cut)] in ids), key=lambda cut: cut[1] - cut[0], default=None)
        if cut:
            counts[stem[: cut[0]], stem[cut[1] :]] += 1
    return counts


def _is_mask(path: Path) -> bool:
    """Whether a picture has 0 and at most one other value."""
    with Image.open(path) as image:
        values = np.unique(np.asarray(image))
    return len(values) < 3 and 0 in values


def _ending(names: Sequence[str]) -> str:
    """``.jpg``, ``.jp*g`` for both spellings, or ``.*`` for several; a row finds capitals, too."""
    endings = {PurePosixPath(name).suffix.lower() for name in names}
    return endings.pop() if len(endings) == 1 else ".jp*g" if endings == {".jpg", ".jpeg"} else ".*"


def _coco(tree: Tree, documents: Sequence[Folder]) -> Way | None:
    """COCO's JSON, and the folders that hold the images it lists."""
    found = [_document(tree.root / path)["images"] for path in documents]
    listed = {PurePosixPath(image["file_name"]).name for images in found for image in images[:MOST]}
    folders = [one for one, names in tree.pictures.items() if listed & {*names}]
    if not folders:
        return None
    folders = [one for one in folders if len(one.parts) == len(folders[0].parts)]
    ending = _ending([name for one in folders for name in tree.pictures[one]])
    labels = _common([path for path in documents if len(path.parts) == len(documents[0].parts)])
    return Way(f"{_common(folders)}/*{ending}".removeprefix("./"), labels, _folder_splits(folders))


def _common(paths: Sequence[Folder], wild: str = "*") -> str:
    """One pattern for paths of one length, {split} where they differ in that alone."""
    parts: list[str] = []
    for column in zip(*(each.parts for each in paths), strict=True):
        split = {re.sub(rf"(?i)(?<![a-z])({WORDS})|({WORDS})(?![a-z])", "{split}", part, count=1) for part in column}
        same = split if len(split) == 1 and len({*column}) > 1 else {*column}
        parts.append(glob.escape(same.pop()) if len(same) == 1 else wild)
    return str(PurePosixPath(*parts))


def _folder_splits(images: Sequence[Folder]) -> list[str]:
    """``train=images/train`` and so on, where folders are named as splits."""
    found: dict[str, str] = {}
    for image in images:
        for place, part in enumerate(image.parts, 1):
            if split := _place(Folder(part)).split:
                found.setdefault(split, str(PurePosixPath(*image.parts[:place])))
    return [f"{split}={found[split]}" for split in ("train", "val", "test") if split in found and len(found) > 1]


def _read(name: str, tree: Tree, way: Way) -> Pairs:
    """What a row reads: with these splits, VOC's lists, or the first shares that leave no split empty."""
    lists = {split: f"ImageSets/Segmentation/{split}.txt" for split in ("train", "val", "test")}
    kept = [f"{split}={path}" for split, path in lists.items() if (tree.root / path).is_file()]
    given = way.splits or (kept if len(kept) > 1 else [])
    encoding = "masks" if "{class}" in way.labels else ""
    if way.labels.endswith(".json"):
        first = next(iter(glob.glob(re.sub(r"\{\w+\}", "*", way.labels), root_dir=tree.root, recursive=True)), "")  # noqa: PTH207
        encoding = "coco" if first and {*_document(tree.root / first)} >= COCO else "labelme"
    row = {
        "root": str(tree.root), "images": way.images, "labels": way.labels, "encoding": encoding or "index",
        "classes": ["background", *way.classes] if way.classes else ["a", "b"],
    }  # fmt: skip
    told, group = [], None
    layout = folder.parse(name, {**row, "splits": given or SHARES[0]}).survey(tree.root)
    if not given and (group := _group(sorted(layout.images.keys() & layout.labels.keys()))):
        told.append(f"frames of videos, by their names: group {group} keeps those of one in one split")
    for group, given in product(dict.fromkeys((group, None)), [given] if given else SHARES):
        layout = folder.parse(name, {**row, "splits": given, "group": group}).survey(tree.root)
        if all(layout.splits.values()):
            break
    if told and not group:
        told = ["frames of so few videos that their shares are not kept apart: scores on val will be too good"]
    if layout.problems:
        more = f" (the first of {len(layout.problems)} such problems)" if layout.problems[1:] else ""
        raise Refusal(f"{layout.problems[0]}{more}")
    found = Pairs(
        root=tree.root, images=way.images, labels=way.labels, encoding=encoding, classes=way.classes,
        splits=given, group=group, layout=layout, told=told,
    )  # fmt: skip
    used = {path for one in found.ids for path in (layout.images[one], *layout.labels.get(one, {}).values())}
    by_ending: dict[str, list[str]] = defaultdict(list)
    for path in (str(path) for path in tree.seen):
        if path not in used and not any(rule.endswith(f"={path}") for rule in given):
            by_ending[PurePosixPath(path).suffix or "without an ending"].append(path)
    several = (f"{len(paths)} {ending} ({paths[0]}{', …' * bool(paths[1:])})" for ending, paths in by_ending.items())
    told += [f"not used: {', '.join(several)}"] if by_ending else []
    return found


def _group(ids: Sequence[str]) -> str | None:
    """The row's ``group`` where names are plainly a video's and a number that goes up in steps: 0001TP_006690."""
    for mark in "/_- ":
        found = [re.fullmatch(rf"(.+){mark}\D{{0,6}}?(\d+)", name) for name in ids]
        videos: dict[str, list[int]] = defaultdict(list)
        for match in filter(None, found):
            plain = len(match[2]) > 3 if mark == "/" else VIDEO.search(PurePosixPath(match[1]).name)
            videos[match[1]] += [int(match[2])] if plain else []
        steps = Counter(np.concatenate([np.diff(sorted(numbers)) for numbers in videos.values()] or [[]]).tolist())
        regular = sum(count for _, count in steps.most_common(1)) * 2 >= steps.total()
        if all(found) and all(videos.values()) and 1 < len(videos) * FRAMES <= len(ids) and regular and len(videos) > 1:
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
