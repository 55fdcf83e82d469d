"""A miniature of a user's own data: photographs of leaves on soil in one folder, colour-coded labels in another."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pipeline.core.files import replacing
from pipeline.core.png import png
from pipeline.miniature.shared import textures
from pipeline.miniature.shared.camera import Camera, jpeg, photograph
from pipeline.miniature.shared.chance import Chance
from pipeline.miniature.shared.scene import Frame, Part, Scene, coat, rim
from pipeline.miniature.shared.shapes import BALL, LEAF, SQUARE

COUNTS = ("images",)
SOIL, LEAVES, EDGE = (0, 0, 0), (255, 0, 0), (128, 128, 128)
"""The labels' colours, RGB; an edge is what nobody can say, between a leaf and what lies below."""

_SOIL = coat(0x33261C, 0x6B5745, textures.wool, 0.25)
_PEBBLE = coat(0x595752, 0x99948C, textures.clouds, 0.1)
_FOLIAGE = (
    coat(0x1A590D, 0x59B226, textures.diagonal, 0.09),
    coat(0x995900, 0xF2BF1A, textures.clouds, 0.15),
    coat(0x801405, 0xD9401A, textures.stripes, 0.08),
)


def render(out: Path, *, seed: int, side: int, images: int) -> None:
    """Write ``out/images/leaves_0000.jpg`` … and ``out/labels/leaves_0000.png``, RGB in SOIL, LEAVES and EDGE.

    Every image has ``side`` pixels on one edge and three quarters of that or more on the other. An image depends on
    the seed, the side and its number alone, so a world of more images holds the smaller one.
    """
    with replacing(out / "images") as photographs, replacing(out / "labels") as labels:
        photographs.mkdir()
        labels.mkdir()
        for number in tqdm(range(images), desc="miniature leaves", unit="image", disable=None):
            name = f"leaves_{number:04d}"
            image, label = litter(seed, name, side)
            (photographs / f"{name}.jpg").write_bytes(jpeg(image))
            (labels / f"{name}.png").write_bytes(png(label))


def litter(seed: int, name: str, side: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A photograph from above and its label, both H×W×3 uint8."""
    chance = Chance(seed, "litter", name)
    short = chance.whole(side * 3 // 4, side + 1)
    height, width = (side, short) if chance.happens(0.4) else (short, side)
    camera = Camera(
        height=height, width=width, focal=side, cx=width / 2, cy=height / 2,
        eye=(0.0, 0.0, 1.0), down=(0.0, -1.0, 0.0), forward=(0.0, 0.0, -1.0),
    )  # fmt: skip
    scene = Scene(camera, (chance.between(-1, 1), chance.between(-1, 1), 1.2))
    scene.paint(Part(SQUARE, (0, 0, 0), (2, 2, 1)), _SOIL.worn(chance, 0.04), Frame((0, 0, 0)), 0)
    for _ in range(chance.whole(2, 8)):
        at = chance.between(-0.5, 0.5), chance.between(-0.5, 0.5), 0.0
        size = chance.between(0.02, 0.07)
        scene.shadow(Frame(at), (1.4 * size, 1.4 * size))
        scene.paint(Part(BALL, at, (size, 0.8 * size, 0.5 * size)), _PEBBLE.worn(chance), Frame((0, 0, 0)), 0)
    for number in range(1, chance.whole(3, 7)):
        at = chance.between(-0.4, 0.4), chance.between(-0.35, 0.35), 0.05 + 0.01 * number
        cos, sin = chance.turn()
        frame = Frame(at, (cos, sin), chance.between(0.15, 0.3))
        scene.shadow(frame, (1.0, 0.7), 0.3)
        scene.paint(Part(LEAF, (0, 0, 0), (1, 1, 1)), chance.pick(_FOLIAGE).worn(chance), frame, 1, number)
    label = np.array([SOIL, LEAVES], np.uint8)[scene.label]
    label[rim(scene.instance)] = EDGE
    return photograph(chance, scene.color), label
