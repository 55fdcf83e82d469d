"""Twenty ways to cover a surface, one per class; each maps pixels in an object's frame to a tone in 0–1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.miniature.shared._shapes import Field

Texture = Callable[[Field, Field], Field]
"""``texture(u, v)``: H×W float32 coordinates in which 2π is one period → H×W float32 tones."""


def _ink(wave: NDArray[np.floating[Any]], hardness: float = 1.6) -> Field:
    """A wave in −1 … 1 as nearly two tones, its slope keeping the edges smooth."""
    return np.asarray((0.5 + hardness * wave).clip(0, 1), np.float32)


def stripes(u: Field, v: Field) -> Field:
    """Bands along the object."""
    return _ink(np.sin(v))


def flutes(u: Field, v: Field) -> Field:
    """Soft bands across the object."""
    return _ink(np.sin(u), 0.7)


def diagonals(u: Field, v: Field) -> Field:
    """Bands that fall to the right."""
    return _ink(np.sin(0.7 * (u - v)))


def planks(u: Field, v: Field) -> Field:
    """Clapboard: each board brightens downwards, then breaks off."""
    return np.asarray((v * np.float32(0.1)) % 1, np.float32)


def rungs(u: Field, v: Field) -> Field:
    """Fine bands that rise to the right."""
    return _ink(np.sin(1.1 * (u + v)))


def feathers(u: Field, v: Field) -> Field:
    """Rows of scallops, every second row shifted by half."""
    row = np.floor(v / np.pi)
    across = (u / np.pi + 0.5 * (row % 2)) % 1 - 0.5
    return _ink(np.sin(6 * np.hypot(across, 0.8 * (v / np.pi - row))), 1.2)


def panes(u: Field, v: Field) -> Field:
    """Bright squares between thin bars."""
    return _ink(np.minimum(np.sin(u), np.sin(v)) + 0.45)


def dots(u: Field, v: Field) -> Field:
    """Round dots, closely packed."""
    return _ink(_hexagons(u, v) - 0.1, 1.2)


def tabby(u: Field, v: Field) -> Field:
    """Wavering bands across the object."""
    return _ink(np.sin(u + 1.1 * np.sin(0.5 * v)))


def brindle(u: Field, v: Field) -> Field:
    """Short streaks along the object, each dark or light by chance."""
    row = np.floor(0.45 * v)
    return _chance(np.floor(0.12 * u + 0.37 * row), row) % 2


def blotches(u: Field, v: Field) -> Field:
    """Large patches with bays."""
    return _ink(np.sin(0.37 * u + np.sin(0.31 * v)) + np.sin(0.43 * v + 1.7 * np.sin(0.23 * u)), 2.5)


def basket(u: Field, v: Field) -> Field:
    """Squares of upright and level reeds in turn."""
    level = (np.floor(u / (2 * np.pi)) + np.floor(v / (2 * np.pi))) % 2
    return _ink(np.where(level > 0, np.sin(2 * u), np.sin(2 * v)))


def grain(u: Field, v: Field) -> Field:
    """Wood: long lines that flow around knots."""
    return _ink(np.sin(v + 2.2 * np.sin(0.21 * u) * np.sin(0.19 * v + 1)), 0.9)


def crosshatch(u: Field, v: Field) -> Field:
    """Two sets of thin diagonal lines."""
    return _ink(np.maximum(np.sin(0.75 * (u + v)), np.sin(0.75 * (u - v))) - 0.65, 2.0)


def chevrons(u: Field, v: Field) -> Field:
    """Zigzag bands along the object."""
    return _ink(np.sin(v + 5.0 * np.abs((u / (2 * np.pi)) % 2 - 1)))


def mosaic(u: Field, v: Field) -> Field:
    """Small square leaves, each of its own tone."""
    return np.asarray(_chance(np.floor(0.45 * u), np.floor(0.45 * v)) % 11 / 10, np.float32)


def curls(u: Field, v: Field) -> Field:
    """Small rings, closely packed."""
    return _ink(np.float32(0.42) - np.abs(_hexagons(u, v) - 0.15), 2.2)


def cushions(u: Field, v: Field) -> Field:
    """Wide bulges across the object, with a seam between each and the next."""
    return np.asarray(np.sqrt(np.abs(np.sin(0.5 * u))), np.float32)


def bricks(u: Field, v: Field) -> Field:
    """Courses of long bricks, every second course shifted by half."""
    course = np.floor(v / (2 * np.pi))
    joints = np.abs(np.sin(0.25 * u + 0.5 * np.pi * (course % 2)))
    return _ink(np.minimum(2.2 * joints, np.abs(np.sin(0.5 * v))) - 0.4, 2.0)


def ripples(u: Field, v: Field) -> Field:
    """Circles around the object's middle."""
    return _ink(np.sin(np.hypot(u, v)), 0.9)


def _hexagons(u: Field, v: Field) -> Field:
    """A triangular lattice of bumps in −0.5 … 1, one per period."""
    half = 0.577 * v
    return np.asarray((np.cos(1.155 * v) + np.cos(u + half) + np.cos(u - half)) / 3, np.float32)


def _chance(column: Field, row: Field) -> Field:
    """A whole number in 0 … 65535 by cell, without a pattern that eyes find: integers, so that it never rounds."""
    cell = column.astype(np.int64) * 0x9E3779B1 + row.astype(np.int64) * 0x85EBCA77
    mixed = (cell ^ (cell >> 15) & 0xFFFFFFFF) * 0x2C1B3C6D
    return np.asarray((mixed >> 16) & 0xFFFF, np.float32)
