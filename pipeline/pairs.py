"""Find the images and labels of a folder by the names that tools give, and which folders or lists are splits."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product
from pathlib import Path, PurePosixPath

from pipeline.core.types import Refusal
from pipeline.datasets.own import folder
from pipeline.datasets.own.folder import Layout

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
IMAGES = ("images", "image", "imgs", "img", "jpegimages", "photos", "photographs", "pictures", "rgb", "leftimg8bit")
LABELS = ("masks", "mask", "labels", "label", "annotations", "annotation", "segmentationclass", "gt", "gtfine")
WORDS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}
SPLITS = {word: split for split, words in WORDS.items() for word in words}
PREFIXES, SUFFIXES = ("", "image_", "img_"), ("", "_image", "_img", "_rgb", "_leftImg8bit")
MOST = 20  # folders that are compared where no name tells their use
SHARES = [[f"train=0.{10 - tenth}", f"val=0.{tenth}"] for tenth in (2, 3, 4, 5)]


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """The row's patterns and splits, and what the folder's own reader finds by them."""

    root: Path
    images: str
    labels: str
    splits: Sequence[str]
    layout: Layout

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
    if images:
        return _read(name, root, images, labels, ())
    folders, impure = _pictures(root)
    both = list(_sides(folders))
    few = [*folders][:MOST]
    both = both or [pair for pair in permutations(few, 2) if _by_size(root, folders, *pair)][:1]
    both = both or [(one, one) for one in sorted(folders, key=lambda each: -len(folders[each]))[:1]]
    affixes = _affixes(folders, both)
    if affixes is None:
        raise Refusal(f"{root} has no images with labels: {_missing(root, folders)}")
    single = {image for image, label in both if image == label} | impure
    patterns = [
        _pattern([pair[side] for pair in both], affix, bool(single & {pair[side] for pair in both}))
        for side, affix in enumerate(affixes)
    ]
    return _read(name, root, patterns[0], patterns[1], _folder_splits(both))


def _pictures(root: Path) -> tuple[dict[PurePosixPath, list[str]], set[PurePosixPath]]:
    """The names of pictures by their folder, and the folders where something else lies, too."""
    folders: dict[PurePosixPath, list[str]] = {}
    impure: set[PurePosixPath] = set()
    for text in sorted(glob.glob("**/*", root_dir=root, recursive=True)):  # noqa: PTH207 - skips hidden files
        path = PurePosixPath(text)
        if path.suffix.lower() in ENDINGS:
            folders.setdefault(path.parent, []).append(path.name)
        elif not (root / path).is_dir():
            impure.add(path.parent)
    return folders, impure


def _sides(folders: Iterable[PurePosixPath]) -> Iterator[tuple[PurePosixPath, PurePosixPath]]:
    """Folders of images and of labels whose paths differ in just that word: train/images and train/masks."""
    found: dict[tuple[tuple[str, ...], ...], dict[str, PurePosixPath]] = {}
    for each in folders:
        for place, part in enumerate(each.parts):
            kind = "images" if part.lower() in IMAGES else "labels" if part.lower() in LABELS else ""
            if kind:
                rest = each.parts[:place], each.parts[place + 1 :]
                found.setdefault(rest, {}).setdefault(kind, each)
    return ((both["images"], both["labels"]) for both in found.values() if len(both) == 2)


def _by_size(root: Path, folders: Mapping[PurePosixPath, list[str]], one: PurePosixPath, other: PurePosixPath) -> bool:
    """Whether two folders of other names hold pairs: labels are PNGs, and smaller files than photographs."""
    png = all(name.lower().endswith(".png") for name in folders[other])
    if not png or _affixes(folders, [(one, other)]) is None:
        return False
    sizes = [sum((root / each / name).stat().st_size for name in folders[each][:20]) for each in (one, other)]
    return sizes[0] / len(folders[one][:20]) > sizes[1] / len(folders[other][:20])


Affix = tuple[str, str, str]
"""What stands before and after the id in a file's name, and the ending or ``*``."""


def _affixes(
    folders: Mapping[PurePosixPath, list[str]], both: Sequence[tuple[PurePosixPath, PurePosixPath]]
) -> tuple[Affix, Affix] | None:
    """How the names of images and labels differ: the way that pairs most of the first folder's; None if none does."""
    best: tuple[int, tuple[Affix, Affix] | None] = (0, None)
    for image, label in both[:1]:
        names = [_of_kind(folders[image], image == label, 0), _of_kind(folders[label], image == label, 1)]
        stems = [sorted({PurePosixPath(name).stem for name in each}) for each in names]
        for before, after in product(PREFIXES, SUFFIXES):
            fits = [stem for stem in stems[0] if stem.startswith(before) and stem.endswith(after)]
            ids = {stem[len(before) : len(stem) - len(after)] for stem in fits} - {""}
            for (left, right), count in _around(ids, stems[1][:: len(stems[1]) // 200 + 1]).most_common(1):
                if count > best[0]:
                    best = count, ((before, after, _ending(names[0])), (left, right, _ending(names[1])))
    return best[1]


def _of_kind(names: Sequence[str], mixed: bool, side: int) -> list[str]:
    """In one folder for both, labels are the PNGs and images the others."""
    return [name for name in names if not mixed or name.lower().endswith(".png") == bool(side)]


def _around(ids: set[str], stems: Sequence[str]) -> Counter[tuple[str, str]]:
    """How often labels are an id with a certain text before and after it."""
    counts: Counter[tuple[str, str]] = Counter()
    for stem in stems:
        cuts = [(start, end) for start in range(len(stem)) for end in range(len(stem), start, -1)]
        cut = max((cut for cut in cuts if stem[slice(*cut)] in ids), key=lambda cut: cut[1] - cut[0], default=None)
        if cut:
            counts[stem[: cut[0]], stem[cut[1] :]] += 1
    return counts


def _ending(names: Sequence[str]) -> str:
    """``.jpg``, ``.jp*g`` for both spellings, or ``.*`` for several; a row finds capitals, too."""
    endings = {PurePosixPath(name).suffix.lower() for name in names}
    return endings.pop() if len(endings) == 1 else ".jp*g" if endings == {".jpg", ".jpeg"} else ".*"


def _pattern(chosen: Sequence[PurePosixPath], affix: Affix, impure: bool) -> str:
    """The folders' paths with * for what differs, and the names with {id} where more stands around it."""
    parts = [set(column) for column in zip(*(each.parts for each in chosen), strict=True)]
    place = PurePosixPath(*(glob.escape(part.pop()) if len(part) == 1 else "*" for part in parts))
    before, after, ending = affix
    if before or after:
        return str(place / f"{before}{{id}}{after}{ending}")
    return str(place / (f"*{ending}" if impure else "*"))


def _folder_splits(both: Sequence[tuple[PurePosixPath, PurePosixPath]]) -> list[str]:
    """``train=images/train`` and so on, where folders are named as splits."""
    found: dict[str, str] = {}
    for image, _ in both:
        for place, part in enumerate(image.parts, 1):
            if part.lower() in SPLITS:
                found.setdefault(SPLITS[part.lower()], str(PurePosixPath(*image.parts[:place])))
    return [f"{split}={found[split]}" for split in ("train", "val", "test") if split in found and len(found) > 1]


def _read(name: str, root: Path, images: str, labels: str, splits: Sequence[str]) -> Pairs:
    """What a row reads: with these splits, VOC's lists, or the first shares that leave no split empty."""
    lists = {split: f"ImageSets/Segmentation/{split}.txt" for split in ("train", "val", "test")}
    kept = [f"{split}={path}" for split, path in lists.items() if (root / path).is_file()]
    ways = [splits] if splits else [kept] if len(kept) > 1 else SHARES
    for way in ways:
        row = {"root": str(root), "images": images, "labels": labels, "splits": way, "classes": ["a", "b"]}
        layout = folder.parse(name, row).survey(root)
        if all(layout.splits.values()):
            break
    if layout.problems:
        more = f" (the first of {len(layout.problems)} such problems)" if layout.problems[1:] else ""
        raise Refusal(f"{layout.problems[0]}{more}")
    return Pairs(root=root, images=images, labels=labels, splits=way, layout=layout)


def _missing(root: Path, folders: Mapping[PurePosixPath, list[str]]) -> str:
    there = "; ".join(f"{each}/ has {len(names)}, such as {names[0]}" for each, names in [*folders.items()][:4])
    looked = "looked for images/ with masks/, labels/ or annotations/, also in or around train/, val/ and test/"
    found = there or "no picture is there"
    hint = "; for labels as JSON write the row by hand, docs/own-data.md" if next(root.rglob("*.json"), None) else ""
    if any("mask" in name.lower() for names in folders.values() for name in names):
        hint = "; masks beside images that are PNGs, too, must move into a folder of their own"
    return f"{looked}, and for x.jpg beside x.png or x_mask.png; {found}: give --images and --labels{hint}"
