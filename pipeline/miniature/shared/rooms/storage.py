"""To keep things in: cabinets, counters, dressers, shelves; boxes that differ in height and in what covers them."""

from __future__ import annotations

import numpy as np

from pipeline.miniature.shared.rooms import props
from pipeline.miniature.shared.rooms.finish import Decor
from pipeline.miniature.shared.rooms.solids import Part, Piece, box, ellipsoid, piece


def cabinet(rng: np.random.Generator, decor: Decor) -> Piece:
    """A cupboard, chest-high or up to the height of a door."""
    width, depth = rng.uniform(0.8, 1.7), rng.uniform(0.4, 0.6)
    high = rng.uniform(1.8, 2.2) if rng.random() < 0.65 else rng.uniform(1.1, 1.4)
    half = width / 2
    return piece(
        "cabinet", width, depth, box((-half, half), (0, depth), (0.0, high), "cabinet", decor.finish("cabinet"))
    )


def wall_cabinet(rng: np.random.Generator, decor: Decor) -> Piece:
    """Hung above a counter, a desk or a toilet."""
    half, low = rng.uniform(0.6, 1.2), rng.uniform(1.35, 1.45)
    front = decor.finish("cabinet")
    high = low + rng.uniform(0.6, 0.85)
    return piece("wall cabinet", 2 * half, 0.34, box((-half, half), (0, 0.34), (low, high), "cabinet", front))


def kitchen_run(rng: np.random.Generator, decor: Decor) -> Piece:
    """Base cabinets under a worktop with a sink in it."""
    width, depth = rng.uniform(1.7, 2.8), rng.uniform(0.6, 0.68)
    half, front, stone = width / 2, decor.finish("cabinet"), decor.finish("counter")
    x, basin = float(rng.uniform(-half + 0.5, half - 0.5)), decor.finish("sink")
    parts = [
        box((-half, half), (0.0, depth - 0.04), (0.0, 0.84), "cabinet", front),
        box((-half, half), (0.0, depth), (0.84, 0.92), "counter", stone),
        box((x - 0.36, x + 0.36), (0.1, depth - 0.06), (0.9, 0.95), "sink", basin),
        box((x - 0.03, x + 0.03), (0.06, 0.1), (0.95, 1.25), "sink", basin),
        box((x - 0.03, x + 0.03), (0.06, 0.26), (1.22, 1.26), "sink", basin),
    ]
    if rng.random() < 0.4:
        side = -1 if x > 0 else 1
        span = (side * half * 0.7 - 0.26, side * half * 0.7 + 0.26)
        parts.append(box(span, (0.1, 0.48), (0.92, 1.22), "microwave", decor.finish("microwave")))
    things = props.on_top(rng, decor, half, depth, 0.92, ("bottle", "cup", "plant", "paper", "vase", ""))
    return piece("kitchen run", width, depth, *parts, *things)


def counter(rng: np.random.Generator, decor: Decor) -> Piece:
    """A bar: one material from the floor to 0.9 m, its top overhanging."""
    width, depth, stone = rng.uniform(1.2, 2.2), rng.uniform(0.6, 0.75), decor.finish("counter")
    half, high = width / 2, rng.uniform(0.88, 0.98)
    things = props.on_top(rng, decor, half, depth, high, ("bottle", "cup", "paper", "vase"))
    return piece(
        "counter",
        width,
        depth,
        box((-half + 0.05, half - 0.05), (0.0, depth - 0.1), (0.0, high - 0.07), "counter", stone),
        box((-half, half), (0.0, depth), (high - 0.07, high), "counter", stone),
        *things,
    )


def refridgerator(rng: np.random.Generator, decor: Decor) -> Piece:
    """As high as a person; the published vocabulary spells it so."""
    half, depth, high = rng.uniform(0.32, 0.45), rng.uniform(0.6, 0.75), rng.uniform(1.55, 1.85)
    door = decor.finish("refridgerator")
    return piece("refridgerator", 2 * half, depth, box((-half, half), (0, depth), (0.0, high), "refridgerator", door))


def dresser(rng: np.random.Generator, decor: Decor) -> Piece:
    """A chest of drawers with things on it."""
    half, depth, high = rng.uniform(0.45, 0.75), rng.uniform(0.42, 0.55), rng.uniform(0.8, 1.05)
    chest = box((-half, half), (0.0, depth), (0.0, high), "dresser", decor.finish("dresser"))
    things = props.on_top(rng, decor, half, depth, high, ("lamp", "vase", "books", "clothes", "bottle", ""))
    return piece("dresser", 2 * half, depth, chest, *things)


def night_stand(rng: np.random.Generator, decor: Decor) -> Piece:
    """Knee-high, a lamp on it."""
    half, depth, high = rng.uniform(0.22, 0.32), rng.uniform(0.36, 0.46), rng.uniform(0.5, 0.65)
    stand = box((-half, half), (0.0, depth), (0.0, high), "night stand", decor.finish("night stand"))
    lamp = props.table_lamp(decor, 0.0, depth / 2, high) if rng.random() < 0.7 else []
    return piece("night stand", 2 * half, depth, stand, *lamp)


def bookshelf(rng: np.random.Generator, decor: Decor) -> Piece:
    """An open case of boards, most of them full of books."""
    half, depth, high = rng.uniform(0.5, 0.9), rng.uniform(0.28, 0.36), rng.uniform(1.7, 2.2)
    wood, rows = decor.finish("bookshelf"), int(rng.integers(4, 6))
    parts = [
        box((-half, half), (0.0, 0.03), (0.0, high), "bookshelf", wood),
        box((-half, -half + 0.05), (0.0, depth), (0.0, high), "bookshelf", wood),
        box((half - 0.05, half), (0.0, depth), (0.0, high), "bookshelf", wood),
    ]
    step = high / rows
    for row in range(rows + 1):
        z = min(row * step, high - 0.05)
        parts.append(box((-half, half), (0.0, depth), (z, z + 0.05), "bookshelf", wood))
    for row in range(rows):
        parts += _row_of_books(rng, decor, half - 0.05, depth, row * step + 0.05, step - 0.05)
    return piece("bookshelf", 2 * half, depth, *parts)


def shelves(rng: np.random.Generator, decor: Decor) -> Piece:
    """An open case hung on the wall, things on some of its boards."""
    half, depth, low = rng.uniform(0.5, 0.9), rng.uniform(0.24, 0.34), rng.uniform(0.8, 1.0)
    wood, count = decor.finish("shelves"), int(rng.integers(3, 5))
    top = low + 0.33 * count
    parts = [
        box((-half, half), (0.0, 0.02), (low, top), "shelves", wood),
        box((-half, -half + 0.06), (0.02, depth), (low, top), "shelves", wood),
        box((half - 0.06, half), (0.02, depth), (low, top), "shelves", wood),
        box((-half, half), (0.02, depth), (top, top + 0.06), "shelves", wood),
    ]
    for row in range(count):
        z = low + 0.33 * row
        parts.append(box((-half, half), (0.0, depth), (z, z + 0.06), "shelves", wood))
        if rng.random() < 0.5:
            name = ("books", "otherprop 001", "vase", "")[int(rng.integers(4))]
            x, width = float(rng.uniform(-half + 0.2, half - 0.2)), float(rng.uniform(0.1, 0.2))
            span = (x - width, x + width)
            parts.append(box(span, (0.04, depth - 0.06), (z + 0.06, z + 0.28), name, decor.finish(name)))
    return piece("shelves", 2 * half, depth, *parts)


def tv_stand(rng: np.random.Generator, decor: Decor) -> Piece:
    """A long low board, a television hung flat on the wall above it."""
    half, depth, high = rng.uniform(0.7, 1.0), rng.uniform(0.4, 0.5), rng.uniform(0.4, 0.6)
    board = box((-half, half), (0.0, depth), (0.0, high), "tv stand", decor.finish("tv stand"))
    screen, size = decor.finish("television"), rng.uniform(0.5, 0.7)
    low = high + rng.uniform(0.15, 0.35)
    panel = box((-size, size), (0.0, 0.004), (low, low + 1.2 * size), "television", screen)
    return piece("tv stand", 2 * half, depth, board, panel)


def vanity(rng: np.random.Generator, decor: Decor) -> Piece:
    """A wash-stand: a cabinet, a bowl sunk into its top."""
    half, depth, high = rng.uniform(0.4, 0.65), rng.uniform(0.5, 0.58), rng.uniform(0.8, 0.88)
    front, bowl = decor.finish("cabinet"), decor.finish("sink")
    return piece(
        "vanity",
        2 * half,
        depth,
        box((-half, half), (0.0, depth), (0.0, high - 0.12), "cabinet", front),
        box((-half, half), (0.0, depth), (high - 0.12, high), "sink", bowl),
        box((-0.03, 0.03), (0.04, 0.08), (high, high + 0.2), "sink", bowl),
        box((-0.03, 0.03), (0.04, 0.2), (high + 0.17, high + 0.2), "sink", bowl),
        ellipsoid((half - 0.2, half - 0.08), (0.1, 0.22), (high, high + 0.2), "bottle", decor.finish("bottle")),
    )


def _row_of_books(
    rng: np.random.Generator, decor: Decor, half: float, depth: float, z: float, space: float
) -> list[Part]:
    if rng.random() < 0.2:
        return []
    start = -half
    end = half - float(rng.uniform(0.0, 0.8 * half))
    middle = float(rng.uniform(start + 0.2, end - 0.1)) if end - start > 0.4 else end
    spans = ((start, middle), (middle, end)) if end > middle else ((start, end),)
    return [
        box(span, (0.03, depth - 0.03), (z, z + space * float(rng.uniform(0.65, 0.9))), "books", decor.finish("books"))
        for span in spans
    ]
