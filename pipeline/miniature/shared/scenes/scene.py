"""Scenes and portraits: small photographs of textured objects, each a pure function of a seed and a name."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

from pipeline.miniature.shared._backdrop import backdrop
from pipeline.miniature.shared._camera import photograph
from pipeline.miniature.shared._chance import generator
from pipeline.miniature.shared.scenes.actor import Stage, paint, pose
from pipeline.miniature.shared.scenes.classes import NAMES

Map = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A photograph (H×W×3 uint8) and its H×W uint8 maps.

    ``label``: 0 background, 1–20 class, 255 void along the objects' contours (as VOC); ``label_hard``: the same without
    void (as SBD); ``instances``: 0 background, else 1, 2, … by object, without void.
    """

    image: Map
    label: Map
    label_hard: Map
    instances: Map


def render(seed: int, name: str, height: int, width: int) -> Scene:
    """One to four objects on a backdrop; the same arguments give the same pixels wherever they are rendered.

    The name's last six digits modulo 20 name the class (0 = aeroplane) of the object in front, so that consecutive
    numbers show every class; the other classes are drawn.
    """
    rng = generator(seed, "scene", name)
    front = int(name[-6:]) % len(NAMES) + 1
    count = int(rng.choice(4, p=(0.4, 0.35, 0.2, 0.05)))
    labels = [*(int(label) for label in rng.integers(1, len(NAMES) + 1, count)), front]
    stage = _stage(rng, height, width)
    side = max(height, width)
    ring = max(0.65, 0.005 * side)
    places: list[tuple[float, float]] = []
    for number, label in enumerate(labels, 1):
        size = side * math.exp(rng.uniform(math.log(0.3), math.log(0.95)))
        places.append(_place(rng, places, height, width))
        paint(stage, pose(rng, label, *places[-1], size), number, ring)
    return _scene(rng, stage, ring)


def portrait(seed: int, name: str, label: int, side: int) -> Map:
    """One large object of class ``label`` (1–20) near the middle of a ``side`` × ``side`` × 3 uint8 photograph."""
    rng = generator(seed, "portrait", name)
    stage = _stage(rng, side, side)
    x, y = rng.uniform(0.38, 0.62, 2) * side
    size = side * math.exp(rng.uniform(math.log(0.3), math.log(0.9)))
    paint(stage, pose(rng, label, float(x), float(y), size), 1, 0.65)
    return photograph(rng, stage.canvas)


def _stage(rng: np.random.Generator, height: int, width: int) -> Stage:
    shape = (height, width)
    canvas, grain = backdrop(rng, height, width)
    return Stage(
        canvas=canvas,
        grain=grain,
        label=np.zeros(shape, np.uint8),
        instances=np.zeros(shape, np.uint8),
        contour=np.zeros(shape, np.bool_),
    )


def _place(rng: np.random.Generator, taken: list[tuple[float, float]], height: int, width: int) -> tuple[float, float]:
    """Of two random centres the one farther from those taken: objects overlap often, but seldom hide each other."""
    drawn = rng.uniform(0.12, 0.88, (2, 2)) * (width, height)
    spots = [(float(x), float(y)) for x, y in drawn]
    return max(spots, key=lambda spot: min((math.dist(spot, other) for other in taken), default=0.0))


def _scene(rng: np.random.Generator, stage: Stage, ring: float) -> Scene:
    reach = 2 * math.ceil(ring) + 1
    highest, lowest = maximum_filter(stage.instances, reach), minimum_filter(stage.instances, reach)
    void = stage.contour & (highest != lowest)  # the edge itself may be hidden, or lie outside the image
    seen = np.unique(stage.instances)  # a fully hidden object leaves no number behind
    return Scene(
        image=photograph(rng, stage.canvas),
        label=np.where(void, np.uint8(255), stage.label),
        label_hard=stage.label,
        instances=np.searchsorted(np.union1d([0], seen), stage.instances).astype(np.uint8),
    )
