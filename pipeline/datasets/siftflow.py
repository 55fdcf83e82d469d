"""SIFT Flow: outdoor photographs with 33 semantic and 3 geometric classes, read out of the published zip."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.core.png import png
from pipeline.core.types import Color, DatasetSpec, Encoded, LabelSpec, Refusal, Sample
from pipeline.datasets.shared import unzip
from pipeline.datasets.shared.archive import ids_of, image_size, variable, version

ARCHIVE = "SiftFlowDataset.zip"
SPLITS = ("trainval", "test")

# The published maps say 1 for the first class. Colours are ours: what belongs together is near in hue, and any two
# classes are at least 40 apart in RGB.
SEMANTIC: dict[str, Color] = {
    "awning": (255, 105, 180), "balcony": (190, 80, 130), "bird": (255, 255, 120), "boat": (250, 250, 250),
    "bridge": (140, 120, 190), "building": (150, 60, 60), "bus": (255, 140, 0), "car": (230, 30, 30),
    "cow": (100, 50, 20), "crosswalk": (180, 160, 255), "desert": (220, 170, 70), "door": (90, 10, 60),
    "fence": (180, 130, 90), "field": (170, 200, 60), "grass": (90, 180, 60), "moon": (210, 220, 235),
    "mountain": (110, 130, 120), "person": (255, 0, 200), "plant": (0, 220, 110), "pole": (30, 30, 30),
    "river": (0, 170, 190), "road": (120, 90, 150), "rock": (125, 105, 85), "sand": (245, 215, 150),
    "sea": (20, 80, 170), "sidewalk": (200, 110, 220), "sign": (200, 220, 0), "sky": (120, 185, 245),
    "staircase": (110, 0, 150), "streetlight": (70, 70, 110), "sun": (255, 220, 0), "tree": (20, 100, 40),
    "window": (60, 60, 230),
}  # fmt: skip
GEOMETRIC: dict[str, Color] = {"sky": (120, 185, 245), "horizontal": (110, 160, 70), "vertical": (190, 80, 60)}
VOID: Color = (224, 224, 192)  # as VOC paints it

SPEC = DatasetSpec(
    name="siftflow",
    images=("color",),
    labels={
        head: LabelSpec(classes=tuple(colors), palette=tuple(colors.values()))
        for head, colors in (("semantic", SEMANTIC), ("geometric", GEOMETRIC))
    },
    mean={"color": (108.353, 115.294, 114.578)},  # the authors' siftflow_layers.py, there in BGR
)

_FOLDERS = {"color": ("Images", ".jpg"), "semantic": ("SemanticLabels", ".mat"), "geometric": ("GeoLabels", ".mat")}
_LOWEST = {"semantic": 0, "geometric": -1}  # both mean void; 0 does in geometric maps too

Members = Mapping[str, Mapping[str, str]]
"""Each image's members of the archive, by column, by id."""


def splits(raw: Path) -> tuple[str, ...]:
    """The authors' two; no val split is published."""
    return SPLITS


def ids(raw: Path, split: str) -> list[str]:
    """``test``: TestSet1.txt in list order; ``trainval``: every other image that is annotated, sorted.

    An image without a SemanticLabels file, or with one that is 0 throughout, is not annotated (two of the original's
    2,688). Raises Refusal when the list is absent, names an image twice or one that is not there, and when an image
    of a split lacks one of its label files.
    """
    archive = raw / ARCHIVE
    members = _members(archive)
    test = _test(archive, members)
    if split == "test":
        names = test
    else:
        kept_out = {*test, *_unannotated(*version(archive))}
        names = sorted(name for name, found in members.items() if "color" in found and name not in kept_out)
    for name in names:
        _all_of(archive, members, name)
    return names


def read(raw: Path, wanted: Iterable[str]) -> Iterator[tuple[str, Mapping[str, Encoded]]]:
    """The members of each wanted sample, in the order asked for: a zip is read by offset."""
    archive = raw / ARCHIVE
    members = _members(archive)
    found = [(name, _all_of(archive, members, name)) for name in wanted]
    contents = unzip.read(archive, (path for _, paths in found for path in paths.values()))
    for name, paths in found:
        yield name, {column: Encoded(bytes=next(contents), path=path) for column, path in paths.items()}


def sample(name: str, parts: Mapping[str, Encoded]) -> Sample:
    """One sample: the JPEG as published, each map as a palette PNG of class indices, 255 where it is void.

    Raises Refusal for a map that has no ``S``, another shape than the image, or a value that is no class.
    """
    height, width = image_size(parts["color"])
    labels = {}
    for head, spec in SPEC.labels.items():
        label = _indices(parts[head], (height, width), _LOWEST[head], len(spec.classes))
        palette = [*spec.palette, *[(0, 0, 0)] * (255 - len(spec.palette)), VOID]
        labels[head] = Encoded(bytes=png(label, palette), path=f"{name}.png")
    color = Encoded(bytes=parts["color"].bytes, path=f"{name}.jpg")
    return Sample(id=name, height=height, width=width, images={"color": color}, labels=labels)


def _members(archive: Path) -> Members:
    """What the archive holds, wherever in it the three folders stand."""
    members: dict[str, dict[str, str]] = {}
    for path in unzip.index(archive):
        file = PurePosixPath(path)
        for column, (folder, suffix) in _FOLDERS.items():
            if folder in file.parts[:-1] and file.suffix == suffix and not file.name.startswith("."):
                paths = members.setdefault(file.stem, {})
                if column in paths:
                    raise Refusal(f"{archive} holds {paths[column]} and {path}: an id stands for one image; drop one")
                paths[column] = path
    if not members:
        raise Refusal(f"{archive} has no Images/**/*.jpg: is it the SIFT Flow dataset?")
    return members


def _test(archive: Path, members: Members) -> list[str]:
    """TestSet1.txt, whose lines are paths with back-slashes below Images, as ids."""
    lists = [path for path in unzip.index(archive) if path.split("/")[-1] == "TestSet1.txt"]
    if len(lists) != 1:
        raise Refusal(f"{archive} must hold one TestSet1.txt, found {', '.join(lists) or 'none'}: fetch it again")
    (text,) = unzip.read(archive, lists)
    lines = text.decode("utf-8-sig", "replace").splitlines()
    names = ids_of("\n".join(PureWindowsPath(line.strip()).stem for line in lines), f"{archive}: {lists[0]}")
    for name in names:
        if "color" not in members.get(name, {}):
            raise Refusal(f"{archive}: {lists[0]} lists {name}, but no Images/**/{name}.jpg is there: fetch it again")
    return names


@lru_cache(maxsize=4)
def _unannotated(archive: Path, size: int, mtime: int) -> frozenset[str]:
    """Ids of images nobody labelled, found by reading every semantic map once per version of the archive."""
    members = _members(archive)
    paths = {name: found["semantic"] for name, found in members.items() if "semantic" in found}
    contents = zip(paths.items(), unzip.read(archive, paths.values()), strict=True)
    annotated = {name for (name, path), data in contents if _variable(Encoded(bytes=data, path=path)).any()}
    return frozenset(members.keys() - annotated)


def _all_of(archive: Path, members: Members, name: str) -> dict[str, str]:
    """The three members of an image, in the columns' order."""
    found = members.get(name, {})
    for column, (folder, suffix) in _FOLDERS.items():
        if column not in found:
            raise Refusal(f"{archive} has no {folder}/**/{name}{suffix}: fetch it again")
    return {column: found[column] for column in _FOLDERS}


def _variable(file: Encoded) -> NDArray[Any]:
    """``S`` of a MATLAB v5 file, an H×W map of numbers."""
    found = variable(file.bytes, "S", f"{ARCHIVE}: {file.path}")
    if found.ndim != 2 or found.dtype.kind not in "iuf":
        raise Refusal(f"{ARCHIVE}: {file.path} has an S that is no H×W map of numbers: fetch the archive again")
    return found


def _indices(file: Encoded, shape: tuple[int, int], lowest: int, classes: int) -> NDArray[np.uint8]:
    """Class indices (H×W uint8, 255 void) of a published map whose first class is 1."""
    found = _variable(file)
    if found.shape != shape:
        sizes = "{}×{} (height×width) but its image is {}×{}".format(*found.shape, *shape)
        raise Refusal(f"{ARCHIVE}: {file.path}: S is {sizes}: an image and its label must be of one size")
    wrong = ~((found >= lowest) & (found <= classes) & (found == np.floor(found)))
    if wrong.any():
        row, column = np.unravel_index(int(np.argmax(wrong)), shape)
        raise Refusal(
            f"{ARCHIVE}: {file.path}: S is {found[row, column]:g} at row {row}, column {column}: "
            f"values are {lowest} to {classes}; check the archive"
        )
    return np.where(found >= 1, found - 1, 255).astype(np.uint8)
