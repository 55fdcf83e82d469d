"""What stands about: lamps, bags, boxes, people, bins and plants, and what lies on tables."""

from __future__ import annotations

import numpy as np

from pipeline.miniature.shared.rooms.finish import Decor
from pipeline.miniature.shared.rooms.solids import Part, Piece, box, cylinder, ellipsoid, piece


def floor_lamp(rng: np.random.Generator, decor: Decor) -> Piece:
    """A bright shade on a pole."""
    high, half = rng.uniform(1.4, 1.75), rng.uniform(0.2, 0.28)
    shade, pole = decor.finish("lamp"), decor.finish("bottle")
    return piece(
        "floor lamp",
        0.56,
        0.56,
        cylinder((-0.15, 0.15), (0.13, 0.43), (0.0, 0.03), "lamp", pole),
        cylinder((-0.025, 0.025), (0.255, 0.305), (0.03, high - 0.3), "lamp", pole),
        cylinder((-half, half), (0.28 - half, 0.28 + half), (high - 0.35, high), "lamp", shade),
    )


def bag(rng: np.random.Generator, decor: Decor) -> Piece:
    """A slumped sack with a strap."""
    half, depth, high = rng.uniform(0.2, 0.32), rng.uniform(0.25, 0.38), rng.uniform(0.35, 0.55)
    cloth = decor.finish("bag")
    return piece(
        "bag",
        2 * half,
        depth,
        ellipsoid((-half, half), (0.0, depth), (-0.12, high), "bag", cloth),
        ellipsoid((-half / 2, half / 2), (0.4 * depth, 0.6 * depth), (high - 0.12, high + 0.15), "bag", cloth),
    )


def cardboard(rng: np.random.Generator, decor: Decor) -> Piece:
    """One box, or a smaller one on top of it."""
    half, depth, high = rng.uniform(0.22, 0.38), rng.uniform(0.35, 0.6), rng.uniform(0.3, 0.5)
    parts = [box((-half, half), (0.0, depth), (0.0, high), "box", decor.finish("box"))]
    if rng.random() < 0.4:
        span = (0.15 * depth, 0.85 * depth)
        parts.append(box((-0.7 * half, 0.8 * half), span, (high, high + 0.28), "box", decor.finish("box")))
    return piece("box", 2 * half, depth, *parts)


def person(rng: np.random.Generator, decor: Decor) -> Piece:
    """Standing, facing away from the wall."""
    tall, shirt, trousers = rng.uniform(1.55, 1.8), decor.finish("person"), decor.finish("person")
    hip, neck = 0.5 * tall, 0.83 * tall
    arms = [
        ellipsoid(x, (0.1, 0.26), (hip - 0.12, neck - 0.02), "person", shirt) for x in ((-0.31, -0.17), (0.17, 0.31))
    ]
    return piece(
        "person",
        0.62,
        0.36,
        cylinder((-0.19, -0.01), (0.08, 0.27), (0.0, hip), "person", trousers),
        cylinder((0.01, 0.19), (0.08, 0.27), (0.0, hip), "person", trousers),
        ellipsoid((-0.24, 0.24), (0.04, 0.32), (hip - 0.18, neck + 0.06), "person", shirt),
        *arms,
        ellipsoid((-0.1, 0.1), (0.06, 0.28), (neck, tall), "person", decor.finish("skin")),
    )


def bin_or_plant(rng: np.random.Generator, decor: Decor) -> Piece:
    """A garbage bin, or leaves over the same kind of pot."""
    high = rng.uniform(0.35, 0.6)
    pot = cylinder((-0.19, 0.19), (0.02, 0.4), (0.0, high), "garbage bin", decor.finish("garbage bin"))
    if rng.random() < 0.5:
        return piece("bin", 0.4, 0.42, pot)
    leaf = decor.finish("plant")
    leaves = [
        ellipsoid((-0.32, 0.3), (-0.08, 0.5), (high - 0.05, high + 0.45), "plant", leaf),
        ellipsoid((-0.18, 0.24), (0.0, 0.42), (high + 0.3, high + 0.75), "plant", leaf),
    ]
    pot = cylinder((-0.17, 0.17), (0.04, 0.38), (0.0, high), "plant", decor.finish("garbage bin"))
    return piece("plant", 0.64, 0.58, pot, *leaves)


def toilet(rng: np.random.Generator, decor: Decor) -> Piece:
    """A bowl on a foot, a tank behind it."""
    china, seat = decor.finish("toilet"), rng.uniform(0.4, 0.46)
    return piece(
        "toilet",
        0.46,
        0.72,
        box((-0.23, 0.23), (0.0, 0.2), (seat - 0.1, seat + 0.38), "toilet", china),
        box((-0.12, 0.12), (0.1, 0.5), (0.0, seat - 0.12), "toilet", china),
        cylinder((-0.2, 0.2), (0.18, 0.72), (seat - 0.06, seat), "toilet", china),
        ellipsoid((-0.18, 0.18), (0.16, 0.68), (seat - 0.36, seat + 0.02), "toilet", china),
    )


def bathtub(rng: np.random.Generator, decor: Decor) -> Piece:
    """A trough of four walls along the wall, often a shower curtain at its back."""
    half, depth, high, enamel = rng.uniform(0.75, 0.9), 0.78, rng.uniform(0.5, 0.6), decor.finish("bathtub")
    parts = [
        box((-half, half), (0.0, 0.1), (0.0, high), "bathtub", enamel),
        box((-half, half), (depth - 0.1, depth), (0.0, high), "bathtub", enamel),
        box((-half, -half + 0.12), (0.1, depth - 0.1), (0.0, high), "bathtub", enamel),
        box((half - 0.12, half), (0.1, depth - 0.1), (0.0, high), "bathtub", enamel),
        box((-half, half), (0.1, depth - 0.1), (0.0, 0.2), "bathtub", enamel),
    ]
    if rng.random() < 0.75:
        side, cloth = 1 if rng.random() < 0.5 else -1, decor.finish("shower curtain")
        span = (side * half - 0.65, side * half) if side > 0 else (-half, -half + 0.65)
        parts.append(box(span, (0.0, 0.03), (high + 0.02, 2.0), "shower curtain", cloth))
    return piece("bathtub", 2 * half, depth, *parts)


def shower(rng: np.random.Generator, decor: Decor) -> Piece:
    """A shower curtain drawn shut over a tray."""
    half, cloth = rng.uniform(0.6, 1.0), decor.finish("shower curtain")
    return piece("shower", 2 * half, 0.03, box((-half, half), (0, 0.03), (0.1, 2.0), "shower curtain", cloth))


def clothes_on(decor: Decor, x: float, y: float, z: float) -> list[Part]:
    """A heap."""
    cloth = decor.finish("clothes")
    return [
        ellipsoid((x - 0.35, x + 0.3), (y - 0.25, y + 0.25), (z - 0.12, z + 0.14), "clothes", cloth),
        ellipsoid((x - 0.1, x + 0.42), (y - 0.1, y + 0.36), (z - 0.1, z + 0.1), "clothes", cloth),
    ]


def table_lamp(decor: Decor, x: float, y: float, z: float) -> list[Part]:
    """A shade on a foot."""
    shade = decor.finish("lamp")
    return [
        cylinder((x - 0.05, x + 0.05), (y - 0.05, y + 0.05), (z, z + 0.2), "lamp", decor.finish("bottle")),
        cylinder((x - 0.17, x + 0.17), (y - 0.17, y + 0.17), (z + 0.18, z + 0.46), "lamp", shade),
    ]


def on_top(
    rng: np.random.Generator, decor: Decor, half: float, depth: float, z: float, names: tuple[str, ...]
) -> list[Part]:
    """None to three things on a top of half width ``half`` at height ``z``, each in a third of its own."""
    parts: list[Part] = []
    for third in (-1, 0, 1):
        chance, pick, across, out = rng.random(4).tolist()
        if chance < 0.55:
            name = names[int(pick * len(names))]
            x = (third + 0.5 * (across - 0.5)) * 0.55 * half
            parts += _thing(decor, name, x, depth * (0.3 + 0.3 * out), z)
    return parts


def _thing(decor: Decor, name: str, x: float, y: float, z: float) -> list[Part]:
    if name == "lamp":
        return table_lamp(decor, x, y, z)
    if name == "clothes":
        return clothes_on(decor, x, y, z)
    finish = decor.finish(name)
    if name == "books":
        return [
            box((x - 0.2, x + 0.2), (y - 0.15, y + 0.15), (z, z + 0.09), name, finish),
            box((x - 0.15, x + 0.18), (y - 0.1, y + 0.14), (z + 0.09, z + 0.18), name, decor.finish(name)),
        ]
    if name == "paper":
        return [box((x - 0.16, x + 0.16), (y - 0.22, y + 0.22), (z, z + 0.006), name, finish)]
    if name == "plant":
        return [ellipsoid((x - 0.16, x + 0.16), (y - 0.16, y + 0.16), (z, z + 0.34), name, finish)]
    if name == "bottle":
        return [cylinder((x - 0.05, x + 0.05), (y - 0.05, y + 0.05), (z, z + 0.28), name, finish)]
    if name == "vase":
        return [ellipsoid((x - 0.1, x + 0.1), (y - 0.1, y + 0.1), (z, z + 0.3), name, finish)]
    return [box((x - 0.09, x + 0.09), (y - 0.09, y + 0.09), (z, z + 0.14), name, finish)]
