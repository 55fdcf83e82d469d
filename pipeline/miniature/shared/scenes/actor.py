"""One object in one pose, and how it is painted over what lies behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.miniature.shared._backdrop import tint
from pipeline.miniature.shared._shapes import Field, Grid
from pipeline.miniature.shared.scenes.classes import KINDS

_KINDS = tuple(KINDS.values())


@dataclass(frozen=True, kw_only=True)
class Actor:
    """A posed object: lengths in pixels, angles in radians; ``bend`` and ``shear`` per object unit.

    ``size`` is the side of the square whose area the object's frame has; ``colors`` (2×3 float32) are tones 0 and 1.
    """

    label: int
    x: float
    y: float
    size: float
    angle: float
    mirrored: bool
    stretch: float
    bend: float
    shear: float
    colors: Field
    period: float
    phase: tuple[float, float]
    light: float


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What painting changes: canvas (H×W×3 float32); class, instance and void contour (H×W); ``grain`` roughens."""

    canvas: Field
    grain: Field
    label: NDArray[np.uint8]
    instances: NDArray[np.uint8]
    contour: NDArray[np.bool_]


def pose(rng: np.random.Generator, label: int, x: float, y: float, size: float) -> Actor:
    """Draw everything about an object but its class, place and size."""
    kind = _KINDS[label - 1]
    luma = rng.uniform(0.08, 0.32)
    colors = np.stack([tint(rng, luma), tint(rng, luma + rng.uniform(0.4, 0.55))])
    return Actor(
        label=label,
        x=x,
        y=y,
        size=size,
        angle=math.radians(float(rng.triangular(-32, 0, 32))),
        mirrored=bool(rng.random() < 0.5),
        stretch=math.exp(rng.uniform(-0.22, 0.22)),
        bend=kind.bend * rng.uniform(-1, 1),
        shear=rng.uniform(-0.15, 0.15),
        colors=colors if rng.random() < 0.5 else colors[::-1],
        period=kind.period * rng.uniform(0.9, 1.1) * (size / 48) ** 0.2,
        phase=(rng.uniform(0, 60), rng.uniform(0, 60)),
        light=rng.uniform(-0.25, 0.25),
    )


def paint(stage: Stage, actor: Actor, number: int, ring: float) -> None:
    """Paint ``actor`` in front as instance ``number``; pixels within ``ring`` of its edge become void contour."""
    kind = _KINDS[actor.label - 1]
    root = math.sqrt(kind.aspect) * actor.stretch
    width, height = actor.size * root, actor.size / root
    box = _box(actor, width, height, stage.label.shape)
    if box is None:
        return
    grid = _grid(actor, box, width, height)
    parts = [(part, part.shape.distance(grid)) for part in kind.parts]
    edge = parts[0][1]
    for _, distance in parts[1:]:
        edge = np.minimum(edge, distance)
    wave = 2 * math.pi / actor.period
    tone = kind.texture(grid.u * wave + actor.phase[0], grid.v * wave + actor.phase[1])
    for part, distance in parts:
        if part.tone is not None:
            tone += (0.5 - distance).clip(0, 1) * (part.tone - tone)
    tone += 0.06 * stage.grain[box]
    _lay(stage.canvas[box], edge, tone, actor, grid)
    inside = edge < 0
    stage.label[box][inside] = actor.label
    stage.instances[box][inside] = number
    stage.contour[box][inside] = False
    stage.contour[box][np.abs(edge) < ring] = True


def _lay(canvas: Field, edge: Field, tone: Field, actor: Actor, grid: Grid) -> None:
    """Blend shadow, then surface: round towards the rim, lit from one side."""
    canvas *= (1 - 0.3 * (1 - edge / 5).clip(0, 1) ** 2)[..., None]
    rim = (1 + edge / (0.1 * actor.size)).clip(0, 1)
    shade = 1 - 0.3 * rim * rim + actor.light * grid.v / grid.height
    surface = actor.colors[0] + tone[..., None] * (actor.colors[1] - actor.colors[0])
    canvas += (0.5 - edge).clip(0, 1)[..., None] * ((surface * shade[..., None]).clip(0, 1) - canvas)


def _box(actor: Actor, width: float, height: float, shape: tuple[int, ...]) -> tuple[slice, slice] | None:
    """The pixels that the object and its shadow can touch; None where that is outside the image."""
    width, height = width + abs(actor.shear) * height, height * (1 + abs(actor.bend) / 2)
    cos, sin = abs(math.cos(actor.angle)), abs(math.sin(actor.angle))
    reach_x = (cos * width + sin * height) / 2 + 5
    reach_y = (sin * width + cos * height) / 2 + 5
    left, right = max(0, math.floor(actor.x - reach_x)), min(shape[1], math.ceil(actor.x + reach_x))
    top, bottom = max(0, math.floor(actor.y - reach_y)), min(shape[0], math.ceil(actor.y + reach_y))
    return (slice(top, bottom), slice(left, right)) if left < right and top < bottom else None


def _grid(actor: Actor, box: tuple[slice, slice], width: float, height: float) -> Grid:
    """Turn a box of pixels into the object's frame: rotate, mirror, shear, bend."""
    dy = np.arange(box[0].start, box[0].stop, dtype=np.float32)[:, None] - np.float32(actor.y)
    dx = np.arange(box[1].start, box[1].stop, dtype=np.float32)[None, :] - np.float32(actor.x)
    cos, sin = np.float32(math.cos(actor.angle)), np.float32(math.sin(actor.angle))
    u, v = cos * dx + sin * dy, cos * dy - sin * dx
    if actor.mirrored:
        u = -u
    u = u + np.float32(actor.shear) * v
    if actor.bend:
        v = v + np.float32(actor.bend * height / width**2) * u * u
    return Grid(u=u, v=v, width=width, height=height, thin=1.3)
