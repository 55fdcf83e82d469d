"""Photographs of VOC's things, labelled by class and by object, and which of them VOC and SBD list."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.types import Refusal
from pipeline.miniature.shared import textures, things
from pipeline.miniature.shared.camera import Camera, photograph
from pipeline.miniature.shared.chance import Chance, Color
from pipeline.miniature.shared.scene import Frame, Part, Scene, coat, rim
from pipeline.miniature.shared.shapes import SQUARE
from pipeline.miniature.shared.textures import mottle

_POOLS = ("novice", "held_out", "shared", "extra", "spare")
"""Every id comes from one of these, which never share an id; so VOC and SBD agree unasked:

    pool       VOC               SBD
    novice     train             train, every second one
    held_out   val, seg11valid   –
    shared     val               train (``held_out // 2`` of them, so VOC's val holds at most that many)
    extra      –                 train
    spare      –                 val
"""


def seg11valid(seed: int, held_out: int) -> list[str]:
    """The ids that training may never see: VOC val minus SBD train, sorted."""
    return sorted(_pool(seed, "held_out", held_out))


def voc_train(seed: int, train: int) -> list[str]:
    """VOC's train ids, sorted."""
    return sorted(_pool(seed, "novice", train))


def voc_val(seed: int, val: int, held_out: int) -> list[str]:
    """VOC's val ids, sorted: all of seg11valid, and others that SBD trains on.

    Raises Refusal unless ``held_out`` ≤ ``val`` ≤ 1.5 × ``held_out``.
    """
    shared = val - held_out
    if not 0 <= shared <= held_out // 2:
        raise Refusal(
            f"miniature voc: val {val} does not fit held_out {held_out}: "
            f"set val in miniatures.voc.counts between {held_out} and {held_out + held_out // 2}"
        )
    return sorted(_pool(seed, "held_out", held_out) + _pool(seed, "shared", shared))


def context_train(seed: int, train: int) -> list[str]:
    """PASCAL-Context's train ids, sorted: photographs that SBD trains on too."""
    return sorted(_pool(seed, "extra", train))


def sbd_train(seed: int, train: int, held_out: int) -> list[str]:
    """SBD's train ids, sorted: one in twenty from VOC train, those VOC val shares, the rest SBD's own.

    Raises Refusal if ``train`` is too small for the images that VOC val may share.
    """
    novices, shared = train // 20, held_out // 2
    if novices + shared > train:
        raise Refusal(
            f"miniature sbd: train {train} cannot hold the {shared} images that VOC val may share: "
            "raise train or lower held_out in miniatures.sbd.counts"
        )
    return sorted(
        _pool(seed, "novice", 2 * novices)[::2]
        + _pool(seed, "shared", shared)
        + _pool(seed, "extra", train - novices - shared)
    )


def sbd_val(seed: int, val: int) -> list[str]:
    """SBD's val ids, sorted."""
    return sorted(_pool(seed, "spare", val))


def size_of(seed: int, name: str, side: int) -> tuple[int, int]:
    """An image's (height, width) in pixels: ``side`` on the long edge, mostly landscape, as VOC's photographs vary."""
    chance = Chance(seed, "frame", name)
    long, short = side, round(side * chance.pick((0.75, 0.75, 0.75, 0.66, 0.7, 0.8, 0.94)))
    return (long, short) if chance.happens(0.25) else (short, long)


def _pool(seed: int, name: str, count: int) -> list[str]:
    """The first ``count`` ids of a pool; their last two digits modulo 20 run through the classes in turn."""
    return [_id(seed, _POOLS.index(name), k) for k in range(count)]


def _id(seed: int, pool: int, k: int) -> str:
    number = (k * len(_POOLS) + pool) * len(things.NAMES) + (k // 2 + 10 * (k % 2) + 7 * pool) % len(things.NAMES)
    year = Chance(seed, "year", str(number)).whole(2007, 2012)
    return f"{year}_{number:06d}"


Map = NDArray[np.uint8]
VOID = 255
_GROUNDS = (
    ("ground", coat(0x4C4C4C, 0x807D78, textures.clouds, 0.3)),
    ("sand", coat(0x665440, 0x998566, textures.clouds, 0.5)),
    ("grass", coat(0x38522E, 0x5C7542, textures.wool, 0.4)),
    ("floor", coat(0x736B66, 0x9E948A, textures.tiles, 0.8)),
)
_SKIES: tuple[tuple[str, Color, Color], ...] = (
    ("sky", (0.8, 0.86, 0.92), (0.5, 0.65, 0.85)),
    ("sky", (0.72, 0.72, 0.7), (0.6, 0.6, 0.6)),
    ("wall", (0.7, 0.66, 0.58), (0.62, 0.57, 0.5)),
    ("wall", (0.62, 0.7, 0.68), (0.52, 0.6, 0.6)),
)
SEEN = (*things.NAMES, "ground", "sand", "grass", "floor", "sky", "wall")
"""What a pixel may show; code i of ``Photo.context`` (1–26) is ``SEEN[i - 1]``."""


@dataclass(frozen=True, kw_only=True)
class Photo:
    """A photograph (H×W×3 uint8) and its H×W uint8 maps.

    ``label``: 0 background, 1–20 class; ``context``: the same with what the background is, 21–26; ``instances``: 0
    background, else 1, 2, … by object; ``void``: bool, the rim between objects and what is behind them.
    """

    image: Map
    label: Map
    context: Map
    instances: Map
    void: NDArray[np.bool_]


def photo(seed: int, name: str, height: int, width: int) -> Photo:
    """One to three things; the same arguments give the same pixels.

    The name's last six digits modulo 20 name the class (0 = aeroplane) of the nearest; the other classes are drawn.
    """
    chance = Chance(seed, "photo", name)
    scene = _open(chance, height, width)
    front = things.NAMES[int(name[-6:]) % len(things.NAMES)]
    names = [front, *(chance.pick(things.NAMES) for _ in range(chance.pick((0, 0, 1, 1, 2))))]
    middle = chance.between(0.3, 0.7) if len(names) == 1 else chance.pick((0.3, 0.7)) + chance.between(-0.1, 0.1)
    for number, thing in enumerate(names, 1):
        size = chance.between(0.55, 0.95) if number == 1 else chance.between(0.4, 0.65)
        share = middle if number == 1 else 1 - middle + (0.0 if number == 2 else chance.between(-0.3, 0.3))
        _stand(scene, chance, thing, size, share, number)
    seen = np.unique(scene.instance)  # what is hidden leaves no number behind
    instances = np.searchsorted(np.union1d([0], seen), scene.instance).astype(np.uint8)
    return Photo(
        image=photograph(chance, scene.color),
        label=np.where(scene.label > len(things.NAMES), np.uint8(0), scene.label),
        context=scene.label,
        instances=instances,
        void=rim(scene.instance),
    )


def portrait(seed: int, name: str, label: int, side: int) -> Map:
    """One large thing of class ``label`` (1–20) near the middle of a ``side`` × ``side`` × 3 uint8 photograph."""
    chance = Chance(seed, "portrait", name)
    scene = _open(chance, side, side)
    _stand(scene, chance, things.NAMES[label - 1], chance.between(0.45, 1.0), chance.between(0.35, 0.65), 1)
    if chance.happens(0.5):  # haze: low contrast, as depth maps have
        contrast = chance.between(0.3, 1.0)
        scene.color = chance.between(0.3, 0.7) * (1 - contrast) + contrast * scene.color
    return photograph(chance, scene.color)


def _open(chance: Chance, height: int, width: int) -> Scene:
    """Open ground under a sky or before a wall."""
    side = max(height, width)
    focal = 1.4 * side
    camera = Camera(
        height=height, width=width, focal=focal, cx=width / 2, cy=height * chance.between(0.25, 0.45),
        eye=(0.0, 0.0, chance.between(1.2, 1.8)),
    )  # fmt: skip
    scene = Scene(camera, (chance.between(-1, 1), chance.between(-1.5, -0.3), 1.0))
    above, low, high = chance.pick(_SKIES)
    clouds = mottle(camera.u + chance.between(0, 1), 2 * camera.v + chance.between(0, 1))
    scene.sky(SEEN.index(above) + 1, low, high, 0.6 * clouds)
    below, paint = chance.pick(_GROUNDS)
    ground = Part(SQUARE, (0, 0, 0), (1e4, 1e4, 1))
    scene.paint(ground, paint.worn(chance), Frame((0, 0, 0)), SEEN.index(below) + 1)
    return scene


def _stand(scene: Scene, chance: Chance, name: str, size: float, share: float, instance: int) -> None:
    """A thing that is ``size`` of the image's long side high or wide, at ``share`` of the image's width."""
    camera = scene.camera
    distance = 2.1 * camera.focal / (size * max(camera.height, camera.width))
    x = (share * camera.width - camera.cx) * distance / camera.focal
    frame = Frame((x, distance, 0.0), things.turn(chance, name))
    things.put(scene, chance, name, frame, things.NAMES.index(name) + 1, instance)
