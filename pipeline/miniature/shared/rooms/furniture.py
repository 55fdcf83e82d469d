"""To lie, sit, eat and work on: seats, beds, tables and desks, told by their shape and height."""

from __future__ import annotations

import numpy as np

from pipeline.miniature.shared.rooms import props
from pipeline.miniature.shared.rooms.finish import Decor, Finish
from pipeline.miniature.shared.rooms.solids import Part, Piece, box, ellipsoid, piece

_LEG = 0.05  # metres, a leg's thickness


def bed(rng: np.random.Generator, decor: Decor) -> Piece:
    """Half a metre high, its head against the wall, two pillows, sometimes clothes left on it."""
    width, length, high = rng.uniform(1.2, 1.9), rng.uniform(1.9, 2.1), rng.uniform(0.45, 0.6)
    half = width / 2
    sheet = decor.finish("bed")
    parts = [
        box((-half, half), (0.08, length), (0.0, high), "bed", sheet),
        box((-half, half), (0.0, 0.08), (0.0, high + rng.uniform(0.25, 0.6)), "bed", decor.finish("bed")),
    ]
    cover = decor.finish("pillow")
    for x in (-half / 2, half / 2):
        span = (x - 0.42 * half, x + 0.42 * half)
        parts.append(ellipsoid(span, (0.12, 0.6), (high - 0.1, high + 0.17), "pillow", cover, len(parts)))
    if rng.random() < 0.4:
        x, y = rng.uniform(-half / 2, half / 2), rng.uniform(0.9, length - 0.4)
        parts += props.clothes_on(decor, float(x), float(y), high)
    return piece("bed", width, length, *parts)


def sofa(rng: np.random.Generator, decor: Decor) -> Piece:
    """A seat with a back and two arms, and cushions on it."""
    width, depth, seat = rng.uniform(1.4, 2.3), rng.uniform(0.8, 0.95), rng.uniform(0.38, 0.46)
    half, cloth = width / 2, decor.finish("sofa")
    parts = [
        box((-half, half), (0.0, depth), (0.04, seat), "sofa", cloth),
        box((-half, half), (0.0, 0.24), (seat, seat + rng.uniform(0.35, 0.5)), "sofa", cloth),
        box((-half, -half + 0.2), (0.0, depth), (seat, seat + 0.2), "sofa", cloth),
        box((half - 0.2, half), (0.0, depth), (seat, seat + 0.2), "sofa", cloth),
    ]
    cover = decor.finish("pillow")
    for side in (-1, 1):
        if rng.random() < 0.7:
            x = side * (half - 0.42)
            parts.append(ellipsoid((x - 0.22, x + 0.22), (0.2, 0.44), (seat, seat + 0.4), "pillow", cover, len(parts)))
    return piece("sofa", width, depth, *parts)


def chair(rng: np.random.Generator, decor: Decor) -> Piece:
    """A seat on four legs, a back."""
    half, depth, seat = rng.uniform(0.21, 0.27), rng.uniform(0.42, 0.52), rng.uniform(0.43, 0.48)
    wood = decor.finish("chair")
    back = seat + rng.uniform(0.42, 0.55)
    parts = [
        box((-half, half), (0.0, depth), (seat - 0.06, seat), "chair", wood),
        box((-half, half), (0.0, 0.05), (seat + 0.08, back), "chair", wood),
        box((-half, -half + _LEG), (0.0, _LEG), (seat, seat + 0.08), "chair", wood),
        box((half - _LEG, half), (0.0, _LEG), (seat, seat + 0.08), "chair", wood),
    ]
    return piece("chair", 2 * half, depth, *parts, *_legs("chair", half, depth, seat - 0.06, wood))


def table(rng: np.random.Generator, decor: Decor) -> Piece:
    """A slab on four legs at 0.75 m, something standing on it."""
    width, depth, high = rng.uniform(1.1, 1.8), rng.uniform(0.75, 1.0), rng.uniform(0.7, 0.78)
    return _table(rng, decor, width, depth, high)


def coffee_table(rng: np.random.Generator, decor: Decor) -> Piece:
    """A low table."""
    return _table(rng, decor, rng.uniform(0.8, 1.2), rng.uniform(0.5, 0.7), rng.uniform(0.38, 0.48))


def _table(rng: np.random.Generator, decor: Decor, width: float, depth: float, high: float) -> Piece:
    half, wood = width / 2, decor.finish("table")
    top = box((-half, half), (0.0, depth), (high - 0.06, high), "table", wood)
    things = props.on_top(rng, decor, half, depth, high, ("books", "cup", "vase", "bottle", ""))
    return piece("table", width, depth, top, *_legs("table", half, depth, high - 0.06, wood), *things)


def desk(rng: np.random.Generator, decor: Decor) -> Piece:
    """A slab at 0.75 m between a leg panel and drawers, with a monitor, a keyboard or books."""
    width, depth, high = rng.uniform(1.1, 1.7), rng.uniform(0.6, 0.8), rng.uniform(0.7, 0.78)
    half, wood = width / 2, decor.finish("desk")
    parts = [
        box((-half, half), (0.0, depth), (high - 0.05, high), "desk", wood),
        box((-half, -half + 0.05), (0.02, depth - 0.02), (0.0, high - 0.05), "desk", wood),
        box((half - 0.4, half), (0.02, depth - 0.02), (0.0, high - 0.05), "desk", wood),
        box((-half, half), (0.0, 0.03), (0.25, high - 0.05), "desk", wood),
    ]
    if rng.random() < 0.6:
        x, screen = float(rng.uniform(-half / 3, half / 3)), decor.finish("monitor")
        parts += [
            box((x - 0.28, x + 0.28), (0.18, 0.24), (high + 0.08, high + 0.44), "monitor", screen),
            box((x - 0.1, x + 0.1), (0.14, 0.3), (high, high + 0.08), "monitor", screen),
            box((x - 0.22, x + 0.22), (0.38, 0.54), (high, high + 0.03), "keyboard", decor.finish("keyboard")),
        ]
    things = props.on_top(rng, decor, half, depth, high, ("books", "books", "lamp", "cup", "paper", ""))
    return piece("desk", width, depth, *parts, *things)


def ottoman(rng: np.random.Generator, decor: Decor) -> Piece:
    """A padded block to put feet on."""
    half, high = rng.uniform(0.3, 0.5), rng.uniform(0.35, 0.48)
    depth = rng.uniform(0.5, 0.8)
    return piece(
        "ottoman", 2 * half, depth, box((-half, half), (0, depth), (0.0, high), "ottoman", decor.finish("ottoman"))
    )


def piano(rng: np.random.Generator, decor: Decor) -> Piece:
    """An upright: a tall back, a keyboard ledge, a stool in front."""
    half, high, lacquer = rng.uniform(0.65, 0.75), rng.uniform(1.15, 1.3), decor.finish("piano")
    seat = decor.finish("stool")
    return piece(
        "piano",
        2 * half,
        1.15,
        box((-half, half), (0.0, 0.35), (0.0, high), "piano", lacquer),
        box((-half, half), (0.35, 0.65), (0.6, 0.75), "piano", lacquer),
        box((-half, half), (0.35, 0.45), (0.0, 0.6), "piano", lacquer),
        box((-0.3, 0.3), (0.8, 1.15), (0.42, 0.5), "stool", seat),
        *_legs("stool", 0.3, 0.35, 0.42, seat, 0.8),
    )


def _legs(name: str, half: float, depth: float, high: float, finish: Finish, near: float = 0.0) -> list[Part]:
    """Four legs under a slab of half width ``half`` that begins ``near`` the wall and is ``depth`` deep."""
    return [
        box(x, y, (0.0, high), name, finish)
        for x in ((-half, -half + _LEG), (half - _LEG, half))
        for y in ((near, near + _LEG), (near + depth - _LEG, near + depth))
    ]
