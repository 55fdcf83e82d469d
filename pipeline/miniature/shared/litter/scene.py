"""Leaves on soil among pebbles: a photograph and its colour-coded label, a pure function of a seed and a name."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

from pipeline.miniature.shared._backdrop import mottle
from pipeline.miniature.shared._camera import photograph
from pipeline.miniature.shared._chance import generator
from pipeline.miniature.shared._shapes import Ellipse, Field, Grid, Tube

SOIL, LEAF, EDGE = (0, 0, 0), (255, 0, 0), (128, 128, 128)
"""The labels' colours: background, the one class, and the doubtful rim of every leaf."""

# RGB, 0–1: earth dry and wet; leaves fresh and fallen, so that green alone does not tell them from soil
_GROUNDS = np.array([(0.36, 0.26, 0.18), (0.45, 0.36, 0.27), (0.28, 0.22, 0.18), (0.5, 0.42, 0.33)], np.float32)
_LEAVES = np.array(
    [(0.24, 0.48, 0.12), (0.4, 0.58, 0.16), (0.16, 0.38, 0.16), (0.62, 0.6, 0.18), (0.66, 0.4, 0.12)], np.float32
)


def scene(seed: int, name: str, side: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """An image and its label, both H×W×3 uint8: one to five leaves among pebbles, which are soil to the label."""
    rng = generator(seed, "leaves", name)
    short = round(side * rng.uniform(0.75, 1))
    height, width = (side, short) if rng.random() < 0.4 else (short, side)
    canvas, grain = _soil(rng, height, width)
    leaves = np.zeros((height, width), np.uint8)
    for _ in range(int(rng.integers(3, 9))):
        _pebble(rng, canvas, grain)
    for number in range(1, int(rng.integers(1, 6)) + 1):
        _leaf(rng, canvas, grain, leaves, number)
    rim = maximum_filter(leaves, 3) != minimum_filter(leaves, 3)
    colors = np.array((SOIL, LEAF, EDGE), np.uint8)
    return photograph(rng, canvas), colors[np.where(rim, 2, np.minimum(leaves, 1))]


def _soil(rng: np.random.Generator, height: int, width: int) -> tuple[Field, Field]:
    """The ground (H×W×3 float32, RGB 0–1) and the noise that roughens all that lies on it."""
    grain, drift = mottle(rng, height, width, rng.uniform(0.6, 1.2))
    ground = _GROUNDS[int(rng.integers(len(_GROUNDS)))] * np.float32(rng.uniform(0.8, 1.2))
    tone = 1 + np.float32(0.16) * grain + np.float32(0.08) * drift
    return np.asarray(ground * tone[..., None], np.float32), grain


def _grid(rng: np.random.Generator, canvas: Field, long: float, wide: float) -> Grid:
    """A frame of ``long`` × ``wide`` pixels somewhere on the canvas, turned anyhow."""
    height, width = canvas.shape[:2]
    turn, x, y = rng.uniform(0, 2 * math.pi), rng.uniform(0.1, 0.9) * width, rng.uniform(0.1, 0.9) * height
    dy = np.arange(height, dtype=np.float32)[:, None] - np.float32(y)
    dx = np.arange(width, dtype=np.float32)[None, :] - np.float32(x)
    cos, sin = np.float32(math.cos(turn)), np.float32(math.sin(turn))
    return Grid(u=cos * dx + sin * dy, v=cos * dy - sin * dx, width=long, height=wide, thin=0.5)


def _pebble(rng: np.random.Generator, canvas: Field, grain: Field) -> None:
    """A grey stone, lit from its one side."""
    reach = max(canvas.shape) * rng.uniform(0.05, 0.16)
    grid = _grid(rng, canvas, reach, reach * rng.uniform(0.6, 1.0))
    cover = (0.5 - Ellipse(0, 0, 0.5, 0.5).distance(grid)).clip(0, 1)
    grey = rng.uniform(0.4, 0.7) + np.float32(0.3 / reach) * grid.v + np.float32(0.03) * grain
    tint = np.array((1.0, rng.uniform(0.95, 1.0), rng.uniform(0.88, 1.0)), np.float32)
    canvas += cover[..., None] * (grey[..., None] * tint - canvas)


def _leaf(rng: np.random.Generator, canvas: Field, grain: Field, leaves: NDArray[np.uint8], number: int) -> None:
    """A leaf between two arcs, with ribs and a shadow; ``leaves`` gets its ``number`` where it covers."""
    long = max(canvas.shape) * rng.uniform(0.25, 0.55)
    grid = _grid(rng, canvas, long, long * rng.uniform(0.32, 0.55))
    blade = _blade(grid)
    stalk = Tube(0.4, 0, 0.62, 0, 0.012).distance(grid)
    canvas *= 1 - 0.35 * (1 - blade / (0.06 * long)).clip(0, 1)[..., None]
    color = _LEAVES[int(rng.integers(len(_LEAVES)))] * np.float32(rng.uniform(0.85, 1.15))
    ribs = np.abs((grid.u / long * 9 - 14 * np.abs(grid.v) / long) % 1 - 0.5) * 2
    light = 1 + 0.07 * grain + np.float32(0.35 / long) * grid.v + 0.1 * (ribs > 0.82)
    light += 0.35 * (1 - np.abs(grid.v) / (0.012 * long)).clip(0, 1)
    outline = np.minimum(blade, stalk)
    cover = (0.5 - outline).clip(0, 1)
    canvas += cover[..., None] * (color * light[..., None] - canvas)
    leaves[outline < 0] = number


def _blade(grid: Grid) -> Field:
    """Signed pixels from a leaf's edge: where two discs overlap, their common chord being the midrib."""
    half, sag = grid.width / 2, grid.height / 2
    radius = (half * half + sag * sag) / (2 * sag)
    return np.asarray(np.hypot(grid.u, np.abs(grid.v) + (radius - sag)) - radius, np.float32)
