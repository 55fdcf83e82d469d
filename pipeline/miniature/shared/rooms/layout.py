"""Where pieces stand: along walls, snugly or with gaps, on the floor, and never one in another or near the camera."""

from __future__ import annotations

import math

import numpy as np

from pipeline.miniature.shared.rooms.finish import Decor
from pipeline.miniature.shared.rooms.furniture import chair
from pipeline.miniature.shared.rooms.plans import ON_FLOORS, ON_WALLS
from pipeline.miniature.shared.rooms.solids import Piece, Placed, Point
from pipeline.miniature.shared.rooms.viewpoint import Viewpoint

Bounds = tuple[float, float, float, float, float, float]
"""x0, y0, z0, x1, y1, z1 in metres."""

CLEAR = 0.9
"""Metres around the camera that stay empty, so that nothing in view is nearer than 0.7."""

_GAP = 0.03  # metres between two pieces
_TRIES = 14


class Layout:
    """Pieces find places one after the other; one that finds none stays out."""

    def __init__(self, rng: np.random.Generator, size: Point, view: Viewpoint) -> None:
        self._rng = rng
        self._size = size
        self._view = view
        self._taken: list[Bounds] = [
            (view.x - CLEAR, view.y - CLEAR, 0.0, view.x + CLEAR, view.y + CLEAR, size[2]),
        ]
        self._edges: dict[float, list[float]] = {}
        self.decor = Decor(rng)
        self.placed: list[Placed] = []

    def add(self, name: str, *, in_view: bool) -> None:
        """Build a piece and stand it where it fits; ``in_view`` prefers the middle of the picture."""
        build, draw = (ON_WALLS[name], self._at_wall) if name in ON_WALLS else (ON_FLOORS[name], self._on_floor)
        piece = build(self._rng, self.decor)
        place = next((place for place in (draw(piece, in_view) for _ in range(_TRIES)) if self._fits(place)), None)
        if place is None:
            return
        self._put(place)
        if name in ON_WALLS:
            half = piece.width / 2
            spot, end = (place.x, self._size[0]) if place.yaw == math.pi else (place.y, self._size[1])
            self._edges.setdefault(place.yaw, [0.0, end]).extend((spot - half, spot + half))
        if name == "desk":
            self._seat(place, 0.0, math.pi)
        if name == "table":
            for side, turn in ((-0.25, 0.0), (0.25, 0.0), (-0.25, math.pi), (0.25, math.pi)):
                if self._rng.random() < 0.6:
                    self._seat(place, side, turn)

    def _fits(self, place: Placed, beneath: Placed | None = None) -> bool:
        """Within the room and clear of all that is there, but for what it is pushed ``beneath``."""
        x0, y0, _, x1, y1, _ = bounds = _bounds(place)
        if x0 < -1e-6 or y0 < -1e-6 or x1 > self._size[0] + 1e-6 or y1 > self._size[1] + 1e-6:
            return False
        spared = _bounds(beneath) if beneath else None
        return not any(_overlap(bounds, other) for other in self._taken if other != spared)

    def _put(self, place: Placed) -> None:
        self.placed.append(place)
        if place.piece.thing != "floor mat":  # furniture may stand on it
            self._taken.append(_bounds(place))

    def _at_wall(self, piece: Piece, in_view: bool) -> Placed:
        """Half the time snugly beside what stands there already, as people furnish."""
        width, depth, _ = self._size
        draw, along, snug, pick = self._rng.random(4).tolist()
        yaw = math.pi if in_view or draw < 0.6 else -math.pi / 2 if draw < 0.8 else math.pi / 2
        end = width if yaw == math.pi else depth
        start = 0.0 if yaw == math.pi else self._view.y + 0.6
        half = piece.width / 2
        spot = start + half + along * max(end - start - piece.width, 0)
        if in_view:
            centre = self._view.x + math.tan(self._view.yaw) * (depth - self._view.y) + 1.2 * (along - 0.5)
            spot = min(max(centre, half + 0.02), width - half - 0.02)
        elif snug < 0.5:
            edges = self._edges.get(yaw, [0.0, end])
            spot = edges[int(pick * len(edges))] + (half + 0.04) * (1 if along < 0.5 else -1)
        return Placed(piece, spot, depth, yaw) if yaw == math.pi else Placed(piece, width * (yaw > 0), spot, yaw)

    def _on_floor(self, piece: Piece, in_view: bool) -> Placed:
        """A piece's origin lies in the middle of its back edge; it is turned about that."""
        width, depth, _ = self._size
        far, across, turn, loose = self._rng.random(4).tolist()
        reach = depth - self._view.y
        away = 1.7 + far * max(min(3.2, reach - 0.6) - 1.7, 0.1) if in_view else 1.5 + far * max(reach - 1.5, 0.1)
        side = (across - 0.5) * (0.5 if in_view else 1.1) * away
        sin, cos = math.sin(self._view.yaw), math.cos(self._view.yaw)
        x, y = self._view.x + away * sin + side * cos, self._view.y + away * cos - side * sin
        yaw = (math.pi, math.pi, math.pi / 2, -math.pi / 2)[int(turn * 4)]
        if loose < 0.5 and piece.thing in ("chair", "box", "bag", "person", "ottoman", "floor mat"):
            yaw += (turn - 0.5) * 1.6
        return Placed(piece, min(max(x, 0.1), width - 0.1), min(max(y, 0.1), depth - 0.1), yaw)

    def _seat(self, place: Placed, side: float, turn: float) -> None:
        """A chair before a desk (``turn`` π) or on either long side of a table, its seat partly under the top."""
        table, seat = place.piece, chair(self._rng, self.decor)
        u = side * table.width
        v = -seat.depth + 0.12 if turn == 0.0 else table.depth + seat.depth - 0.12
        cos, sin = math.cos(place.yaw), math.sin(place.yaw)
        drawn = Placed(seat, place.x + cos * u - sin * v, place.y + sin * u + cos * v, place.yaw + turn)
        if self._fits(drawn, place):
            self._put(drawn)


def _bounds(place: Placed) -> Bounds:
    piece, cos, sin = place.piece, math.cos(place.yaw), math.sin(place.yaw)
    corners = [
        (place.x + cos * u - sin * v, place.y + sin * u + cos * v)
        for u in (-piece.width / 2, piece.width / 2)
        for v in (0.0, piece.depth)
    ]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return min(xs), min(ys), piece.low, max(xs), max(ys), piece.high


def _overlap(one: Bounds, other: Bounds) -> bool:
    return all(one[k] < other[k + 3] + _GAP and other[k] < one[k + 3] + _GAP for k in range(3))
