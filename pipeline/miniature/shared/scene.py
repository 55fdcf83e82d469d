"""Paint solids into the layers of a picture, nearest first: colour, depth, class and instance, by casting rays."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from pipeline.miniature.shared import shapes
from pipeline.miniature.shared.camera import Camera, Vector, inner, minus, turned
from pipeline.miniature.shared.chance import Chance, Color, Field
from pipeline.miniature.shared.shapes import Shape
from pipeline.miniature.shared.textures import Texture, plain

AMBIENT = 0.55  # share of the light that comes from everywhere
X, Y, Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Finish:
    """A texture between two colours; ``period`` is its wavelength in metres, or in the units of what it covers."""

    dark: Color
    light: Color
    texture: Texture = plain
    period: float = 0.2

    def worn(self, chance: Chance, spread: float = 0.08) -> "Finish":
        """The same with other paint, light and scale: what one object has and another of its kind has not."""
        shine = chance.between(1 - 2 * spread, 1 + 2 * spread)
        r, g, b = (chance.between(-spread, spread) for _ in range(3))
        dark, light = (
            (shine * color[0] + r, shine * color[1] + g, shine * color[2] + b) for color in (self.dark, self.light)
        )
        return Finish(dark, light, self.texture, self.period * chance.between(0.8, 1.25))


def coat(dark: int, light: int, texture: Texture = plain, period: float = 0.2) -> Finish:
    """A finish by colours as on the web: 0xRRGGBB."""
    colors = [((color >> 16) / 255, (color >> 8 & 255) / 255, (color & 255) / 255) for color in (dark, light)]
    return Finish(colors[0], colors[1], texture, period)


@dataclass(frozen=True)
class Part:
    """A shape of half sizes ``half`` about ``at``; its z points along ``axis`` (x, y or z) of what it belongs to."""

    shape: Shape
    at: Vector
    half: Vector
    coat: int = 0
    axis: str = "z"


@dataclass(frozen=True)
class Thing:
    """Parts, and the finishes that they name. ``floor`` is where it floats, or where others may stand on it."""

    parts: tuple[Part, ...]
    coats: tuple[Finish, ...]
    floor: float = 0.0


@dataclass(frozen=True)
class Frame:
    """Where an object stands, how it is turned about the vertical, and how large one of its units is in metres."""

    at: Vector
    turn: tuple[float, float] = (1.0, 0.0)
    scale: float = 1.0

    def axes(self) -> tuple[Vector, Vector, Vector]:
        """Its right, its forward, and up."""
        x, y = turned(X, Y, self.turn)
        return x, y, Z

    def point(self, inside: Vector) -> Vector:
        """A point of the object in the world."""
        x, y, _ = self.axes()
        a, b, c = (self.scale * value for value in inside)
        return (
            self.at[0] + a * x[0] + b * y[0],
            self.at[1] + a * x[1] + b * y[1],
            self.at[2] + c,
        )


class Scene:
    """The layers: ``color`` H×W×3 (0–1), ``depth`` H×W metres, ``label`` and ``instance`` H×W uint8, 0 at first."""

    def __init__(self, camera: Camera, light: Vector) -> None:
        shape = (camera.height, camera.width)
        self.camera = camera
        length = np.sqrt(inner(light, light))
        self.light: Vector = (light[0] / length, light[1] / length, light[2] / length)
        self.color = np.zeros((*shape, 3))
        self.depth = np.full(shape, np.inf)
        self.label = np.zeros(shape, np.uint8)
        self.instance = np.zeros(shape, np.uint8)

    def sky(self, label: int, low: Color, high: Color, clouds: Field | None = None) -> None:
        """Fill everything at no distance, from ``low`` at the horizon to ``high``; ``clouds`` (H×W, 0–1) whiten it."""
        share = np.linspace(1, 0, self.camera.height)[:, None, None]
        self.color[:] = np.array(high) + share * (np.array(low) - np.array(high))
        if clouds is not None:
            self.color += clouds[..., None] * (0.97 - self.color)
        self.label[:] = label

    def add(self, parts: Sequence[Part], coats: Sequence[Finish], frame: Frame, label: int, instance: int = 0) -> None:
        """Paint an object part by part; each part's finish is the one of ``coats`` that it names."""
        for part in parts:
            self.paint(part, coats[part.coat], frame, label, instance)

    def paint(self, part: Part, finish: Finish, frame: Frame, label: int, instance: int = 0) -> None:
        """Paint one part where nothing nearer stands."""
        x, y, z = frame.axes()
        axes = {"x": (y, z, x), "y": (z, x, y), "z": (x, y, z)}[part.axis]
        half = _scaled(part.half, frame.scale)
        window, o, d = self._rays(frame.point(part.at), axes, half)
        with np.errstate(divide="ignore", invalid="ignore"):
            t, face = shapes.meet(part.shape, o, d)
        seen = t < self.depth[window]
        if not seen.any():
            return
        t, face = t[seen], face[seen]
        points = [p + t * q[seen] for p, q in zip(o, d, strict=True)]
        normal = shapes.normal(part.shape, face, points[0], points[1], points[2])
        shade = self._shade(normal, axes, half, part.shape.family == "flat")
        order = {"x": (2, 0, 1), "y": (1, 2, 0), "z": (0, 1, 2)}[part.axis]
        tone = _tone(finish, [points[place] * half[place] for place in order], frame.scale)
        paint = np.empty((len(t), 3))
        for k in range(3):
            paint[:, k] = (finish.dark[k] + (finish.light[k] - finish.dark[k]) * tone) * shade
        self.color[window][seen] = paint
        self.depth[window][seen] = t
        self.label[window][seen] = label
        self.instance[window][seen] = instance

    def shadow(self, frame: Frame, half: tuple[float, float], strength: float = 0.4) -> None:
        """Darken the ground under an object: a soft ellipse of half sizes ``half`` in the object's units."""
        window, o, d = self._rays(frame.at, frame.axes(), _scaled((*half, 0.0), frame.scale))
        with np.errstate(divide="ignore", invalid="ignore"):
            t = -o[2] / d[2]
            x, y = o[0] + t * d[0], o[1] + t * d[1]
            reach = x * x + y * y
            near = (t > 0) & (reach < 1) & (t < self.depth[window] * 1.02)
        self.color[window][near] *= (1 - strength * (1 - reach[near]))[:, None]

    def _rays(
        self, centre: Vector, axes: Sequence[Vector], half: Vector
    ) -> tuple[tuple[slice, slice], shapes.Point, shapes.Axes]:
        """The part of the image that a box may cover; where its rays start and go, in the box's coordinates."""
        camera = self.camera
        spans = [(size * axis[0], size * axis[1], size * axis[2]) for axis, size in zip(axes, half, strict=True)]
        rows, columns = camera.window(centre, spans)
        u, v = camera.u[:, columns], camera.v[rows]
        away = minus(camera.eye, centre)
        o, d = [], []
        for axis, size in zip(axes, half, strict=True):
            o.append(inner(away, axis) / size)
            a, b, c = (inner(side, axis) / size for side in (camera.right, camera.down, camera.forward))
            d.append(a * u + (b * v + c))
        return (rows, columns), (o[0], o[1], o[2]), (d[0], d[1], d[2])

    def _shade(self, normal: shapes.Axes, axes: Sequence[Vector], half: Vector, flat: bool) -> Field:
        """Light on a surface, 0–1: some from everywhere, the rest by the angle to the sun; flat things have no back."""
        weights = [inner(self.light, axis) for axis in axes]
        true = [part / size for part, size in zip(normal, half, strict=True)]
        length = np.sqrt(true[0] * true[0] + true[1] * true[1] + true[2] * true[2])
        cosine = (true[0] * weights[0] + true[1] * weights[1] + true[2] * weights[2]) / length
        cosine = np.abs(cosine) if flat else np.maximum(cosine, 0)
        return AMBIENT + (1 - AMBIENT) * cosine


def _scaled(half: Vector, scale: float) -> Vector:
    """Half sizes in metres; what is flat is a nanometre thick."""
    return max(half[0], 1e-9) * scale, max(half[1], 1e-9) * scale, max(half[2], 1e-9) * scale


def _tone(finish: Finish, inside: Sequence[Field], scale: float) -> Field:
    step = 1 / (finish.period * scale)
    x, y, z = (0.37 + value * step for value in inside)
    return finish.texture(x, y, z)


def rim(codes: NDArray[np.uint8], thin: bool = False) -> NDArray[np.bool_]:
    """Where a pixel's 3×3 neighbourhood holds other codes, or, ``thin``, only right and below: annotators' void."""
    padded = np.pad(codes, 1, mode="edge")
    height, width = codes.shape
    void = np.zeros(codes.shape, np.bool_)
    for row, column in product((1, 2) if thin else (0, 1, 2), repeat=2):
        void |= padded[row : row + height, column : column + width] != codes
    return void
