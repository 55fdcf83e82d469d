"""What a class of miniature object is: an outline of primitives, a texture, and how far it may bend."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.miniature.shared._shapes import Polygon, Primitive, Tube
from pipeline.miniature.shared._textures import Texture

DARK, LIGHT = -0.35, 1.3
"""Flat tones beyond the texture's own 0–1: darker than its darker colour, lighter than its lighter one."""


@dataclass(frozen=True)
class Part:
    """One primitive of an object; ``tone`` paints it flat, None leaves the texture."""

    shape: Primitive
    tone: float | None = None


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One class.

    ``period`` is the texture's wavelength in pixels on an object of 48 pixels, ``aspect`` the object's width over its
    height, ``bend`` the greatest sag of its long axis in object units (0 = rigid).
    """

    texture: Texture
    period: float
    aspect: float
    parts: tuple[Part, ...]
    bend: float = 0.0


def kind(*parts: Primitive | Part, texture: Texture, period: float, aspect: float = 1.0, bend: float = 0.0) -> Kind:
    """A class from its parts, back to front; a bare primitive is a textured part."""
    outline = tuple(part if isinstance(part, Part) else Part(part) for part in parts)
    return Kind(texture=texture, period=period, aspect=aspect, parts=outline, bend=bend)


def dark(shape: Primitive) -> Part:
    """A tyre, an eye, a beak."""
    return Part(shape, DARK)


def light(shape: Primitive) -> Part:
    """A pane, a plate, a nose."""
    return Part(shape, LIGHT)


def poly(*corners: tuple[float, float]) -> Polygon:
    """A convex polygon, clockwise as seen."""
    return Polygon(corners)


def bars(half: float, *segments: tuple[float, float, float, float]) -> tuple[Tube, ...]:
    """Legs, frames, antennas: tubes of one half thickness, each (x0, y0, x1, y1)."""
    return tuple(Tube(*segment, half) for segment in segments)
