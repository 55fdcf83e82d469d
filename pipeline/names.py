"""What the names of folders and files tell: the side of a pair, its split, and what stands around an id."""

import glob
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from pipeline.datasets.own.pattern import SPLITS

IMAGES = {"images", "image", "imgs", "img", "jpegimages", "photos", "photographs", "pictures", "rgb", "leftimg8bit"}
LABELS = {"masks", "mask", "labels", "label", "annotations", "annotation", "annot", "ann", "gt", "gtfine", "truth"}
LABELS |= {"segmentationclass", "json"}
KNOWN = IMAGES | LABELS
WORDS = "|".join(sorted(SPLITS, key=len, reverse=True))

Folder = PurePosixPath


class Place(NamedTuple):
    """What a folder's path says: its split, its side, ``images``, ``labels`` or "", and what is left without these."""

    key: tuple[tuple[str, ...], ...]
    split: str
    side: str


def place(path: Folder) -> Place:
    """Words may stand alone, with others or joined: trainannot, test_labels, img_dir."""
    key, split, side = [], "", ""
    for part in path.parts:
        rest = []
        for token in re.findall(r"[^\W_]+", part.lower()):
            before, inner, after = re.fullmatch(rf"({WORDS})?(.*?)({WORDS})?", token).groups("")  # type: ignore[union-attr]
            if inner and inner not in KNOWN and not inner.isdigit():
                before, inner, after = "", token, ""
            split = split or SPLITS.get(before or after, "")
            side = "labels" if inner in LABELS else side or "images" * (inner in IMAGES)
            rest += [inner] if inner and inner not in KNOWN else []
        key += [tuple(rest)] if rest else []
    return Place(tuple(key), split, side)


def around(ids: set[str], stems: Sequence[str]) -> Counter[tuple[str, str]]:
    """How often labels are an id with a certain text before and after it."""
    counts: Counter[tuple[str, str]] = Counter()
    for stem in stems:
        cuts = [(start, end) for start in range(len(stem)) for end in range(len(stem), start, -1)]
        cut = max((cut for cut in cuts if stem[slice(*cut)] in ids), key=lambda cut: cut[1] - cut[0], default=None)
        if cut:
            counts[stem[: cut[0]], stem[cut[1] :]] += 1
    return counts


def ending(names: Sequence[str]) -> str:
    """``.jpg``, ``.jp*g`` for both spellings, or ``.*`` for several; a row finds capitals, too."""
    endings = {PurePosixPath(name).suffix.lower() for name in names}
    return endings.pop() if len(endings) == 1 else ".jp*g" if endings == {".jpg", ".jpeg"} else ".*"


def common(paths: Sequence[Folder], wild: str = "*") -> str:
    """One pattern for paths of one length, {split} where they differ in that alone."""
    parts: list[str] = []
    for column in zip(*(each.parts for each in paths), strict=True):
        split = {re.sub(rf"(?i)(?<![a-z])({WORDS})|({WORDS})(?![a-z])", "{split}", part, count=1) for part in column}
        same = split if len(split) == 1 and len({*column}) > 1 else {*column}
        parts.append(glob.escape(same.pop()) if len(same) == 1 else wild)
    return str(PurePosixPath(*parts))


def folder_splits(images: Sequence[Folder]) -> list[str]:
    """``train=images/train`` and so on, where folders are named as splits."""
    found: dict[str, str] = {}
    for image in images:
        for depth, part in enumerate(image.parts, 1):
            if split := place(Folder(part)).split:
                found.setdefault(split, str(PurePosixPath(*image.parts[:depth])))
    return [f"{split}={found[split]}" for split in ("train", "val", "test") if split in found and len(found) > 1]
