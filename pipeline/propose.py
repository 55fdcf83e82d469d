"""Look at a folder of photographs and labels, and propose the row of ``folders`` that reads it."""

from __future__ import annotations

import glob
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import permutations, product
from math import isqrt
from pathlib import Path, PurePosixPath

import numpy as np

from pipeline.convert import writer
from pipeline.core import files
from pipeline.core.types import DatasetSpec, Encoded, Refusal, Sample
from pipeline.datasets.own import folder
from pipeline.datasets.own.coding import MOST, shown
from pipeline.datasets.own.folder import Folder, Layout
from pipeline.datasets.own.images import decode
from pipeline.describe import pictures
from pipeline.describe.pictures import SAMPLES

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
IMAGES = ("images", "image", "imgs", "img", "jpegimages", "photos", "photographs", "pictures", "rgb", "leftimg8bit")
LABELS = ("masks", "mask", "labels", "label", "annotations", "annotation", "segmentationclass", "gt", "gtfine")
SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
PREFIXES, SUFFIXES = ("", "image_", "img_"), ("", "_image", "_img", "_rgb", "_leftImg8bit")
LOOKED_AT = 48  # labels; `fcn data check` reads all
PIXELS = 4_000_000  # of a label at most, every n-th row and column of a larger one
FEW = 20  # values up to here are places in a list, though a label may miss some
VOC_VOID = 0xE0E0C0
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


def pairs(name: str, root: Path, images: str = "", labels: str = "") -> Pairs:
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
    few = [*folders][:FEW]
    both = both or [pair for pair in permutations(few, 2) if _by_size(root, folders, *pair)][:1]
    both = both or [(one, one) for one in sorted(folders, key=lambda each: -len(folders[each]))[:1]]
    affixes = _affixes(folders, both)
    if affixes is None:
        raise Refusal(f"{root} has no images with labels: {_missing(folders)}")
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


def _missing(folders: Mapping[PurePosixPath, list[str]]) -> str:
    there = "; ".join(f"{each}/ has {len(names)}, such as {names[0]}" for each, names in [*folders.items()][:4])
    looked = "looked for images/ with masks/, labels/ or annotations/, also in or around train/, val/ and test/"
    found = there or "no picture is there"
    return f"{looked}, and for x.jpg beside x.png or x_mask.png; {found}: give --images and --labels"


@dataclass(frozen=True, kw_only=True)
class Look:
    """What labels store: how, each value's number of pixels and its palette's colours, and how many were looked at."""

    encoding: str
    pixels: Mapping[int, int]
    labels: int


def look(found: Pairs) -> Look:
    """Decode some of the labels, spread evenly.

    Raises Refusal for labels that no row can read: JPEGs, soft edges, more values than classes can be.
    """
    names = found.ids
    encodings: set[str] = set()
    pixels: Counter[int] = Counter()
    colors: dict[int, set[tuple[int, ...]]] = {}
    chosen = _spread(names, LOOKED_AT)
    for name in chosen:
        file = found.layout.read(name)["semantic"]
        image, _ = decode(file)
        if image.format in ("JPEG", "MPO"):
            raise Refusal(f"{file.path} is a JPEG, which blurs labels: export labels as PNG")
        encoding = {"P": "palette", "L": "index", "1": "index"}.get(image.mode, "color")
        encodings.add(encoding)
        step = isqrt(image.width * image.height // PIXELS) + 1
        stored = np.asarray(image.convert("RGB") if encoding == "color" else image)[::step, ::step]
        if stored.ndim == 3:
            stored = stored.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
        values, counts = np.unique(stored.astype(np.uint32), return_counts=True)
        if len(values) > MOST:
            what = f"{len(values)} colours or values, more than classes can be: it has soft edges, or is a photograph"
            raise Refusal(f"{file.path} has {what}; export labels without smoothing, or give --images and --labels")
        pixels.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
        palette = image.getpalette() if encoding == "palette" else None
        for value in values.tolist() if palette else ():
            colors.setdefault(value, set()).add(tuple(palette[3 * value : 3 * value + 3] if palette else ()))
    if {0, 255} < set(pixels) and len(pixels) > 8 and sorted(pixels)[-2] > 200:
        what = "have nearly every value from 0 to 255, so their edges are soft"
        raise Refusal(f"{found.root / found.labels}: labels {what}: save them without smoothing")
    if len(encodings) > 1 or any(len(each) > 1 for each in colors.values()):
        raise Refusal(f"{found.root / found.labels}: {_unlike(encodings)}: save all labels in one way")
    return Look(encoding=encodings.pop(), pixels=dict(sorted(pixels.items())), labels=len(chosen))


def _spread(names: Sequence[str], most: int) -> list[str]:
    return [names[place] for place in sorted({step * len(names) // most for step in range(most)})]


def _unlike(encodings: set[str]) -> str:
    if len(encodings) > 1:
        return f"labels store {' and '.join(sorted(encodings))}"
    return "palettes differ between files, so an index has no one meaning (RGB PNGs would do)"


def classes(seen: Look, names: Sequence[str], ignore: Sequence[str]) -> tuple[list[str], list[str | int]]:
    """The texts of the row's ``classes`` and ``ignore``, from what was seen and the ``names`` that a person gave.

    Raises Refusal where only one value is seen, or the names are fewer or more than the values.
    """
    by_color = seen.encoding == "color"
    void = set(ignore) or ({shown(VOC_VOID, True)} if by_color else {"255"})
    values = [value for value in seen.pixels if shown(value, by_color) not in void]
    if not by_color and not ignore and [*seen.pixels] == [0, 255]:
        values = [0, 255]
    ignored: list[str | int] = [int(text) if text.isdigit() else text for text in ignore]
    ignored = ignored or [shown(each, True) if by_color else each for each in seen.pixels if each not in values]
    if any("=" in name for name in names):
        claimed = {part for name in names for part in name.partition("=")[2].split("|")}
        return list(names), [each for each in ignored if str(each) not in claimed]
    if len(values) < 2 and not names:
        what = ", ".join(shown(value, by_color) for value in seen.pixels)
        raise Refusal(f"the {seen.labels} labels looked at hold {what or 'nothing'} alone: two classes are the least")
    listed = not by_color and values[:1] == [0] and values[-1] < max(FEW, 2 * len(values))
    if listed:
        values = [*range(max(values[-1] + 1, len(names)))]
    own = list(names) or [_name(value, place, values) for place, value in enumerate(values)]
    if len(own) != len(values):
        what = ", ".join(shown(value, by_color) for value in values)
        raise Refusal(f"--classes has {len(own)} names, but labels hold {len(values)} values: {what}")
    if listed:
        return own, ignored
    return [f"{name}={shown(value, by_color)}" for name, value in zip(own, values, strict=True)], ignored


def _name(value: int, place: int, values: Sequence[int]) -> str:
    return "background" if value == 0 else "object" if len(values) == 2 and values[0] == 0 else f"class_{place}"


@dataclass(frozen=True)
class _Some:
    """A few pairs of a folder as a dataset of one split."""

    folder: Folder
    names: tuple[str, ...]

    @property
    def SPEC(self) -> DatasetSpec:  # noqa: N802 - as every dataset has it
        return self.folder.SPEC

    def splits(self, raw: Path) -> tuple[str, ...]:
        return ("proposed",)

    def ids(self, raw: Path, split: str) -> list[str]:
        return [*self.names]

    def read(self, raw: Path, wanted: Iterable[str]) -> Iterator[tuple[str, Mapping[str, Encoded]]]:
        return self.folder.read(raw, wanted)

    def sample(self, name: str, parts: Mapping[str, Encoded]) -> Sample:
        return self.folder.sample(name, parts)


def draw(name: str, row: Mapping[str, object], sheet: Path) -> None:
    """Convert some pairs as the pipeline will, and paint them into the PNG ``sheet``.

    Raises Refusal for what the pipeline would refuse of them.
    """
    parsed = folder.parse(name, row)
    root = Path(parsed.row.root)
    names = [one for ids in parsed.survey(root).splits.values() for one in ids]
    some = partial(_Some, parsed, tuple(_spread(names, SAMPLES)))
    with tempfile.TemporaryDirectory() as scratch, files.replacing(sheet) as drawn:
        writer.convert(name, some, root, Path(scratch, name), rows_per_shard=500, expect=None, processes=1)
        pictures.sheet(Path(scratch, name, "proposed")).save(drawn, "PNG")
