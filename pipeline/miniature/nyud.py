"""A miniature NYUDv2: rooms with Kinect depth in the original's HDF5 file, splits and class mapping beside it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pipeline.core.files import replacing
from pipeline.core.types import Refusal
from pipeline.miniature.shared import archive
from pipeline.miniature.shared.chance import Chance
from pipeline.miniature.shared.rooms import KINDS, kind, room

COUNTS = ("train", "val", "test")
_FIRST_ID = 5000  # frame 1 is called 5001 in the authors' lists
_MOST = 9999  # frames; a room's name ends in four digits
_BLOCK = 512  # bytes before the HDF5 file proper
_TEXT = 116  # bytes of text that open the block; MATLAB writes the date there
_LEVEL = 1  # gzip's; 3 makes the file 1.5 % smaller and its rendering 7 % longer
_CLASSES = {"uint8": "uint8", "uint16": "uint16", "float32": "single", "float64": "double"}

CLASSES = (
    *("wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf", "picture", "counter"),
    *("blinds", "desk", "shelves", "curtain", "dresser", "pillow", "mirror", "floor mat", "clothes", "ceiling"),
    *("books", "refridgerator", "television", "paper", "towel", "shower curtain", "box", "whiteboard", "person"),
    *("night stand", "toilet", "sink", "lamp", "bathtub", "bag", "otherstructure", "otherfurniture", "otherprop"),
)
"""The published order and spelling (classMapping40.mat); class i of a label map (1–40) is ``CLASSES[i - 1]``."""

_OTHERS = {
    "otherstructure": ("column", "fireplace", "heater"),
    "otherfurniture": ("ottoman", "piano"),
    "otherprop": ("ball", "garbage bin", "microwave", "plant"),
}
_SHARES = {"otherstructure": 68, "otherfurniture": 82, "otherprop": 707}
"""How many of the 894 raw names fall to each of the last three classes, as published; the others have one each."""


@cache
def raw_names() -> tuple[tuple[str, ...], NDArray[np.uint8]]:
    """All 894 raw names, and the class (1–40) of each, in an order that tells nothing about the class.

    Raw label i of a label map (1–894) is the name at i − 1. Names that no room holds are numbered.
    """
    names = [(name, label) for label, name in enumerate(CLASSES[:-3], 1)]
    for label, (other, count) in enumerate(_SHARES.items(), len(CLASSES) - 2):
        numbered = (f"{other} {number:03d}" for number in range(1, count - len(_OTHERS[other]) + 1))
        names += [(name, label) for name in (*_OTHERS[other], *numbered)]
    order = Chance(0, "nyud", "raw names").order(len(names))
    return tuple(names[place][0] for place in order), np.array([names[place][1] for place in order], np.uint8)


def render(out: Path, *, seed: int, side: int, train: int, val: int, test: int) -> None:
    """Write ``nyu_depth_v2_labeled.mat``, ``splits.mat``, ``classMapping40.mat``, ``{train,val,test}.txt`` to ``out``.

    Frames are ``side`` pixels wide and 3/4 ``side`` high; 640 is the original's size. Frame i is a function of seed,
    side and i alone, each shows a room of its own, and the splits lie mixed through the file, every type of room in
    each. ``splits.mat`` has train and val together, the lists are the authors' cut. Of the original's contents only
    ``namesToIds`` (a MATLAB object, which nothing but MATLAB reads) and the mapping to four super-classes are left out.

    Raises Refusal where ``side`` is no multiple of 4, or the counts add up to no frame or to more than 9999.
    """
    frames = train + val + test
    if side < 32 or side % 4:
        raise Refusal(
            f"miniature nyud: side {side} gives no 3:4 frame: set miniatures.nyud.side to a multiple of 4, ≥ 32"
        )
    if not 0 < frames <= _MOST:
        raise Refusal(f"miniature nyud: {frames} frames: let miniatures.nyud.counts add up to 1 … {_MOST}")
    with replacing(out / "nyu_depth_v2_labeled.mat") as scratch, _matlab73(scratch) as file:
        _fill(file, seed, side, frames)
    lists = _splits(seed, {"train": train, "val": val, "test": test})
    indices = {"trainNdxs": sorted(lists["train"] + lists["val"]), "testNdxs": lists["test"]}
    columns = {name: np.array(numbers, np.uint16)[:, None] for name, numbers in indices.items()}
    archive.write(out / "splits.mat", archive.mat(**columns))
    names, classes = raw_names()
    mapping = {"className": archive.cell(CLASSES, row=True), "mapClass": classes[None, :]}
    archive.write(out / "classMapping40.mat", archive.mat(**mapping, allClassName=archive.cell(names, row=True)))
    for split, numbers in lists.items():  # no newline at the end, as the authors' lists
        archive.write(out / f"{split}.txt", "\n".join(str(_FIRST_ID + number) for number in numbers).encode())


def _fill(file: h5py.File, seed: int, side: int, frames: int) -> None:
    wide, high = side, side * 3 // 4
    maps = {
        "images": _frames(file, "images", (frames, 3, wide, high), "uint8"),
        "depths": _frames(file, "depths", (frames, wide, high), "float32"),
        "rawDepths": _frames(file, "rawDepths", (frames, wide, high), "float32"),
        "labels": _frames(file, "labels", (frames, wide, high), "uint16"),
        "instances": _frames(file, "instances", (frames, wide, high), "uint8"),
    }
    tilts = np.zeros((4, frames), np.float32)
    names, _ = raw_names()
    raw = {"": 0} | {name: label for label, name in enumerate(names, 1)}
    for place in tqdm(range(frames), desc="miniature nyud", unit="frame", disable=None):
        shown = room(seed, place + 1, side)
        labels = np.array([raw[name] for name in shown.names], np.uint16)
        maps["images"][place] = shown.image.transpose(2, 1, 0)
        maps["depths"][place] = shown.depth.T
        maps["rawDepths"][place] = shown.raw_depth.T
        maps["labels"][place] = labels[shown.label].T
        maps["instances"][place] = shown.label.T
        yaw, pitch = (_degrees(half) for half in shown.tilt)
        tilts[:, place] = 0, yaw, pitch, pitch  # roll, yaw, pitch, tilt of a device that has no motor of its own
    _matrix(file, "accelData", tilts)
    types = [kind(number) for number in range(1, frames + 1)]
    scenes = [f"{scene_type}_{number:04d}" for number, scene_type in enumerate(types, 1)]
    _strings(file, "names", names)
    _strings(file, "scenes", scenes)
    _strings(file, "sceneTypes", types)
    for name, stem in (("rawRgbFilenames", "r-{:06d}.ppm"), ("rawDepthFilenames", "d-{:06d}.pgm")):
        _strings(file, name, [f"{scene}/{stem.format(place)}" for place, scene in enumerate(scenes)])


def _degrees(half: float) -> float:
    """The angle whose half has the tangent ``half``, small: arctangent's first three terms."""
    square = half * half
    return 2 * half * (1 - square / 3 + square * square / 5) * (180 / 3.141592653589793)


def _splits(seed: int, counts: dict[str, int]) -> dict[str, list[int]]:
    """Sorted frame numbers by split: each type of room is dealt out in the same shares, by chance within the type."""
    total = counts["train"] + counts["val"] + counts["test"]
    draw = Chance(seed, "nyud", "splits").order(_MOST)
    lists: dict[str, list[int]] = {split: [] for split in counts}
    for place, number in enumerate(sorted(range(1, total + 1), key=lambda n: (n % len(KINDS), draw[n - 1])), 1):
        owed = {split: count * place / total - len(lists[split]) for split, count in counts.items()}
        lists[max(owed, key=lambda split: owed[split])].append(number)
    return {split: sorted(numbers) for split, numbers in lists.items()}


@contextmanager
def _matlab73(path: Path) -> Iterator[h5py.File]:
    """A new file to fill; when the block ends well it begins with MATLAB's text, version 2.0 and byte order."""
    with h5py.File(path, "w", userblock_size=_BLOCK, libver="earliest") as file:
        yield file
    with path.open("r+b") as block:
        block.write(b"MATLAB 7.3 MAT-file, miniature HDF5 schema 1.00 .".ljust(_TEXT) + bytes(8) + b"\x00\x02IM")


def _frames(file: h5py.File, name: str, shape: tuple[int, ...], dtype: str) -> Any:
    """An empty dataset of N frames, ``shape`` with N first as HDF5 counts (last in MATLAB), to be filled by frame.

    It is gzipped frame by frame.
    """
    chunk = (1, *shape[1:])
    data = file.create_dataset(name, shape, dtype, chunks=chunk, compression="gzip", compression_opts=_LEVEL)
    data.attrs["MATLAB_class"] = np.bytes_(_CLASSES[dtype])
    return data


def _matrix(file: h5py.File, name: str, values: np.ndarray[Any, Any]) -> None:
    """A matrix as HDF5 counts: MATLAB's transposed."""
    data = file.create_dataset(name, data=values)
    data.attrs["MATLAB_class"] = np.bytes_(_CLASSES[values.dtype.name])


def _strings(file: h5py.File, name: str, values: Sequence[str]) -> None:
    """An N×1 cell of strings: 1×N references to UTF-16 arrays of len×1, which lie in ``#refs#``."""
    store = file.require_group("#refs#")
    cell = file.create_dataset(name, (1, len(values)), h5py.ref_dtype)
    cell.attrs["MATLAB_class"] = np.bytes_("cell")
    first = len(store)
    for number, value in enumerate(values):
        letters = np.frombuffer(value.encode("utf-16-le"), np.uint16)[:, None]
        data = store.create_dataset(_reference(first + number), data=letters)
        data.attrs["MATLAB_class"] = np.bytes_("char")
        data.attrs["MATLAB_int_decode"] = np.int32(2)
        cell[0, number] = data.ref


def _reference(number: int) -> str:
    """a, b, …, z, ba, bb, …: MATLAB too names what cells refer to by letters."""
    letters = chr(ord("a") + number % 26)
    return (_reference(number // 26) if number >= 26 else "") + letters
