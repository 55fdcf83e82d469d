"""A miniature NYUDv2: rooms with Kinect depth in the original's HDF5 file, splits and class mapping beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pipeline.core import files
from pipeline.core.types import Refusal
from pipeline.miniature.shared import _archive
from pipeline.miniature.shared._chance import generator
from pipeline.miniature.shared.rooms import matlab73
from pipeline.miniature.shared.rooms.frame import Frame
from pipeline.miniature.shared.rooms.frame import render as render_frame
from pipeline.miniature.shared.rooms.names import CLASSES, MAP_CLASS, RAW
from pipeline.miniature.shared.rooms.plans import PLANS, subject

COUNTS = ("train", "val", "test")
_FIRST_ID = 5000  # frame 1 is called 5001 in the authors' lists
_MOST = 9999  # frames; a room's name ends in four digits


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
    with files.replacing(out / "nyu_depth_v2_labeled.mat") as scratch, matlab73.writing(scratch) as file:
        _fill(file, seed, side, frames)
    lists = _splits(seed, {"train": train, "val": val, "test": test})
    indices = {"trainNdxs": sorted(lists["train"] + lists["val"]), "testNdxs": lists["test"]}
    _write(out / "splits.mat", _archive.mat(**{name: _column(numbers) for name, numbers in indices.items()}))
    _write(
        out / "classMapping40.mat",
        _archive.mat(className=_cell(CLASSES), mapClass=MAP_CLASS[None, :], allClassName=_cell(RAW)),
    )
    for split, numbers in lists.items():  # no newline at the end, as the authors' lists
        _write(out / f"{split}.txt", "\n".join(str(_FIRST_ID + number) for number in numbers).encode())


def _fill(file: h5py.File, seed: int, side: int, frames: int) -> None:
    wide, high = side, side * 3 // 4
    maps = {
        "images": matlab73.frames(file, "images", (frames, 3, wide, high), "uint8"),
        "depths": matlab73.frames(file, "depths", (frames, wide, high), "float32"),
        "rawDepths": matlab73.frames(file, "rawDepths", (frames, wide, high), "float32"),
        "labels": matlab73.frames(file, "labels", (frames, wide, high), "uint16"),
        "instances": matlab73.frames(file, "instances", (frames, wide, high), "uint8"),
    }
    tilts = np.zeros((4, frames), np.float32)
    for place in tqdm(range(frames), desc="miniature nyud", unit="frame", disable=None):
        frame = render_frame(seed, place + 1, side)
        maps["images"][place] = frame.image.transpose(2, 1, 0)
        maps["depths"][place] = frame.depth.T
        maps["rawDepths"][place] = frame.raw_depth.T
        maps["labels"][place] = frame.label.T
        maps["instances"][place] = frame.instances.T
        tilts[:, place] = _tilt(frame)
    matlab73.matrix(file, "accelData", tilts)
    types = [subject(number)[0] for number in range(1, frames + 1)]
    scenes = [f"{scene_type}_{number:04d}" for number, scene_type in enumerate(types, 1)]
    matlab73.strings(file, "names", RAW)
    matlab73.strings(file, "scenes", scenes)
    matlab73.strings(file, "sceneTypes", types)
    for name, stem in (("rawRgbFilenames", "r-{:06d}.ppm"), ("rawDepthFilenames", "d-{:06d}.pgm")):
        matlab73.strings(file, name, [f"{scene}/{stem.format(place)}" for place, scene in enumerate(scenes)])


def _tilt(frame: Frame) -> tuple[float, float, float, float]:
    """Roll, yaw, pitch and tilt of the device in degrees; a camera that tilts has no motor of its own."""
    roll, yaw, pitch = (math.degrees(angle) for angle in (frame.view.roll, frame.view.yaw, frame.view.pitch))
    return roll, yaw, pitch, pitch


def _splits(seed: int, counts: dict[str, int]) -> dict[str, list[int]]:
    """Sorted frame numbers by split: each type of room is dealt out in the same shares, by chance within the type."""
    total = sum(counts.values())
    draw = generator(seed, "nyud", "splits").random(_MOST)
    lists: dict[str, list[int]] = {split: [] for split in counts}
    for place, number in enumerate(sorted(range(1, total + 1), key=lambda n: (n % len(PLANS), draw[n - 1])), 1):
        owed = {split: count * place / total - len(lists[split]) for split, count in counts.items()}
        lists[max(owed, key=lambda split: owed[split])].append(number)
    return {split: sorted(numbers) for split, numbers in lists.items()}


def _column(numbers: Sequence[int]) -> NDArray[np.uint16]:
    """N×1, as MATLAB stores small whole doubles."""
    return np.array(numbers, np.uint16)[:, None]


def _cell(values: Sequence[str]) -> NDArray[np.object_]:
    """A 1×N MATLAB cell array of strings."""
    cell = np.empty((1, len(values)), object)
    cell[0] = values
    return cell


def _write(path: Path, content: bytes) -> None:
    with files.replacing(path) as scratch:
        scratch.write_bytes(content)
