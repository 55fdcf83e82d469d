"""NYUDv2: rooms with Kinect depth, read frame by frame out of MATLAB's HDF5 file and cropped as the authors did.

Where the authors' own nyud.tar.gz lies in its place (conf/study/gupta.yaml), that is read.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.core.png import png
from pipeline.core.types import Color, DatasetSpec, Encoded, LabelSpec, Refusal, Sample
from pipeline.datasets.shared import archive, gupta
from pipeline.datasets.shared.hha import KINECT, hha

# The 40 classes of Gupta et al. (2013) in classMapping40.mat's order, spelt as there, in the colours ScanNet gave them.
CLASSES: dict[str, Color] = {
    "wall": (174, 199, 232), "floor": (152, 223, 138), "cabinet": (31, 119, 180), "bed": (255, 187, 120),
    "chair": (188, 189, 34), "sofa": (140, 86, 75), "table": (255, 152, 150), "door": (214, 39, 40),
    "window": (197, 176, 213), "bookshelf": (148, 103, 189), "picture": (196, 156, 148), "counter": (23, 190, 207),
    "blinds": (178, 76, 76), "desk": (247, 182, 210), "shelves": (66, 188, 102), "curtain": (219, 219, 141),
    "dresser": (140, 57, 197), "pillow": (202, 185, 52), "mirror": (51, 176, 203), "floor mat": (200, 54, 131),
    "clothes": (92, 193, 61), "ceiling": (78, 71, 183), "books": (172, 114, 82), "refridgerator": (255, 127, 14),
    "television": (91, 163, 138), "paper": (153, 98, 156), "towel": (140, 153, 101), "shower curtain": (158, 218, 229),
    "box": (100, 125, 154), "whiteboard": (178, 127, 135), "person": (120, 185, 128), "night stand": (146, 111, 194),
    "toilet": (44, 160, 44), "sink": (112, 128, 144), "lamp": (96, 207, 209), "bathtub": (227, 119, 194),
    "bag": (213, 92, 176), "otherstructure": (94, 106, 211), "otherfurniture": (82, 84, 163),
    "otherprop": (100, 85, 144),
}  # fmt: skip
LABEL = LabelSpec(classes=tuple(CLASSES), palette=tuple(CLASSES.values()))

SPEC = DatasetSpec(
    name="nyud",
    images=("color", "depth", "hha", "missing"),
    labels={"semantic": LABEL},
    # nyud_layers.py's constants. It subtracts (116.190, 97.203, 92.318) from blue, green, red; rooms are redder than
    # that, so it is likely the RGB mean the wrong way round. A recipe that says `mean: measured` is free of it.
    mean={"color": (92.318, 97.203, 116.190), "depth": (7.844,), "hha": (132.431, 94.076, 118.477)},
    modes={"depth": "I;16", "missing": "L"},
)

FILE = "nyu_depth_v2_labeled.mat"
FRAME = (480, 640)  # rows, columns of the Kinect; a miniature's frames are a fraction of it
WINDOW = (45, 470, 40, 600)  # top, bottom, left, right: what all of Gupta's and the authors' files are cropped to
RAW_LABELS = 894
FIRST_ID = 5000  # frame 1 is called img_5001


def splits(raw: Path) -> tuple[str, ...]:
    """``trainval`` and ``test``, as published; ``train`` and ``val`` too where the authors' lists lie beside."""
    if _prepared(raw):
        return gupta.SPLITS
    lists = [name for name in ("train", "val") if (raw / f"{name}.txt").is_file()]
    if len(lists) == 1:
        raise Refusal(f"{raw} has {lists[0]}.txt alone: give both train.txt and val.txt, or neither")
    return ("trainval", "test", *lists)


def ids(raw: Path, split: str) -> list[str]:
    """The split's ids ("5001" is the first frame): ``splits.mat``'s 795 and 654, or the lists that part the 795.

    Raises Refusal when a frame of ``train`` or ``val`` is not of ``trainval``, or both lists hold it.
    """
    if _prepared(raw):
        return gupta.ids(raw, split)
    if split in ("trainval", "test"):
        name = "trainNdxs" if split == "trainval" else "testNdxs"
        return [str(FIRST_ID + int(number)) for number in _matrix(raw / "splits.mat", name).ravel()]
    lists = {name: archive.read_ids(raw / f"{name}.txt") for name in ("train", "val")}
    train, val = set(lists["train"]), set(lists["val"])
    if wrong := sorted((train | val) - set(ids(raw, "trainval"))) or sorted(train & val):
        raise Refusal(f"{raw}: {wrong[0]} of train.txt or val.txt is not in trainval, or is in both: fetch them again")
    return lists[split]


def read(raw: Path, wanted: Iterable[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Where each wanted frame lies, in the order asked for; the workers read the file themselves, a frame at a time."""
    if _prepared(raw):
        yield from gupta.read(raw, wanted)
        return
    path = raw / FILE
    frames = len(_opened(*archive.version(path))["images"])
    classes = _classes(raw / "classMapping40.mat")
    for name in wanted:
        if not (name.isdecimal() and FIRST_ID < int(name) <= FIRST_ID + frames):
            raise Refusal(f"{path} holds frames {FIRST_ID + 1} to {FIRST_ID + frames}, not {name}: fetch it again")
        yield name, {"file": path, "frame": int(name) - FIRST_ID - 1, "classes": classes}


def sample(name: str, parts: Mapping[str, Any]) -> Sample:
    """One frame, cropped (425×560 of 480×640), every map as a PNG.

    ``color`` RGB; ``depth`` the in-painted depth in millimetres (uint16); ``hha`` disparity, height and angle of it;
    ``missing`` 255 where the Kinect saw nothing (raw depth 0), else 0; ``semantic`` the 40 classes, 255 unlabelled.

    Raises Refusal for a frame that cannot be read, a depth that is no distance, and a label beyond 894.
    """
    if "file" not in parts:
        return gupta.sample(name, parts, LABEL)
    path, frame = parts["file"], parts["frame"]
    color, depth, raw_depth, labels = _frame(path, frame)
    top, bottom, left, right = _window(path, depth.shape)
    cut = (slice(top, bottom), slice(left, right))
    millimetres = _millimetres(f"{path}: depths of frame {frame + 1}", depth[cut])
    missing = raw_depth[cut] == 0
    camera = KINECT.scaled(depth.shape[1] / FRAME[1]).cropped(left, top)
    images = {
        "color": png(np.ascontiguousarray(color[cut])),
        "depth": png(millimetres),
        "hha": png(hha(millimetres / 1000, missing, camera)),
        "missing": png(np.where(missing, np.uint8(255), np.uint8(0))),
    }
    if (largest := int(labels[cut].max())) > RAW_LABELS:
        raise Refusal(f"{path}: frame {frame + 1} has label {largest}, there are {RAW_LABELS}: fetch it again")
    semantic = png(np.ascontiguousarray(parts["classes"][labels[cut]]), LABEL.palette)
    file = f"img_{name}.png"
    return Sample(
        id=name,
        height=bottom - top,
        width=right - left,
        images={column: Encoded(bytes=image, path=file) for column, image in images.items()},
        labels={"semantic": Encoded(bytes=semantic, path=file)},
    )


def _prepared(raw: Path) -> bool:
    """Whether the authors' archive is there; Refusal where the raw file is too."""
    both = [name for name in (gupta.ARCHIVE, FILE) if (raw / name).is_file()]
    if len(both) == 2:
        raise Refusal(f"{raw} holds {' and '.join(both)}: remove the one that you do not mean")
    return both == [gupta.ARCHIVE]


def _millimetres(where: str, depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    """``uint16(depths * 1000)`` as MATLAB computes it: a product in single precision, halves away from zero."""
    rounded = np.floor((depth * np.float32(1000)).astype(np.float64) + 0.5)
    bad = ~((rounded >= 1) & (rounded <= 65535))
    if bad.any():
        row, column = np.unravel_index(int(np.argmax(bad)), bad.shape)
        raise Refusal(
            f"{where} are {depth[row, column]} m at row {row}, column {column} of the crop: "
            "an in-painted depth lies between 0.001 and 65 m; fetch the file again"
        )
    return rounded.astype(np.uint16)


def _window(path: Path, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    rows, columns = shape
    if rows * FRAME[1] != columns * FRAME[0]:
        raise Refusal(f"{path} has frames of {rows}×{columns}, a Kinect's are 480×640 or scaled alike: fetch it again")
    top, bottom, left, right = (round(edge * rows / FRAME[0]) for edge in WINDOW)
    return top, bottom, left, right


def _frame(path: Path, frame: int) -> tuple[NDArray[Any], ...]:
    """Colour (H×W×3 uint8), depth and raw depth (H×W float32 metres), labels (H×W uint16): MATLAB's axes put back."""
    file = _opened(*archive.version(path))
    try:
        color, *maps = (file[name][frame] for name in ("images", "depths", "rawDepths", "labels"))
    except OSError as error:
        raise Refusal(f"{path}: frame {frame + 1} does not read ({error}): fetch it again") from None
    return color.transpose(2, 1, 0), *(values.T for values in maps)


@lru_cache(maxsize=1)
def _opened(path: Path, size: int, mtime: int) -> h5py.File:
    """The file, opened once per version of it and process; Refusal where it is not what its name says."""
    try:
        file = h5py.File(path)
    except OSError as error:
        raise Refusal(f"{path} is no HDF5 file or is truncated ({error}): fetch it again") from None
    kinds = {"images": ("uint8", 4), "depths": ("float32", 3), "rawDepths": ("float32", 3), "labels": ("uint16", 3)}
    for name, (dtype, axes) in kinds.items():
        if name not in file:
            raise Refusal(f"{path} has no {name}, it has {', '.join(file) or 'nothing'}: is it NYUDv2's labelled set?")
        if file[name].dtype != dtype or file[name].ndim != axes or len(file[name]) != len(file["images"]):
            found = f"{file[name].dtype} {file[name].shape}"
            raise Refusal(f"{path}: {name} is {found}, expected {dtype} with {axes} axes, frames first: fetch it again")
    return file


def _classes(path: Path) -> NDArray[np.uint8]:
    """895 class indices by raw label: 0 is void, the others ``mapClass`` (1–40) less one."""
    mapping = _matrix(path, "mapClass").ravel()
    if mapping.shape != (RAW_LABELS,) or mapping.min() < 1 or mapping.max() > len(CLASSES):
        raise Refusal(f"{path}: mapClass must take {RAW_LABELS} labels to 1–{len(CLASSES)}: fetch it again")
    return np.concatenate([[LABEL.ignore_label], mapping.astype(np.int64) - 1]).astype(np.uint8)


def _matrix(path: Path, name: str) -> NDArray[Any]:
    archive.version(path)
    return archive.variable(path.read_bytes(), name, str(path))
