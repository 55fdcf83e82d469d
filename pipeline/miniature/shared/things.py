"""VOC's twenty classes as parts and paint. One unit is about half an object; it stands on z = 0, its front to +x."""

from __future__ import annotations

from pipeline.miniature.shared import shapes as s
from pipeline.miniature.shared import textures as t
from pipeline.miniature.shared.chance import Chance, Color
from pipeline.miniature.shared.scene import Finish, Frame, Part, Scene, Thing

BLACK: Color = (0.07, 0.07, 0.08)
TYRE = Finish(BLACK, (0.2, 0.2, 0.2))
PANE = Finish((0.1, 0.16, 0.25), (0.3, 0.42, 0.55), t.diagonal, 0.4)
STEEL = Finish((0.45, 0.46, 0.5), (0.75, 0.77, 0.8))


def legs(
    x: float, y: float, half: float, radius: float, coat: int = 0, shape: s.Shape = s.CYLINDER
) -> tuple[Part, ...]:
    """Four legs at ±x, ±y from the ground up to 2 · half."""
    return tuple(Part(shape, (i * x, j * y, half), (radius, radius, half), coat) for i in (-1, 1) for j in (-1, 1))


def wheels(x: float, y: float, radius: float, coat: int = 2, shape: s.Shape = s.CYLINDER) -> tuple[Part, ...]:
    """Four wheels that touch the ground at ±x, ±y."""
    return tuple(
        Part(shape, (i * x, j * y, radius), (radius, radius, 0.06), coat, "y") for i in (-1, 1) for j in (-1, 1)
    )


# fmt: off
THINGS: dict[str, Thing] = {
    "aeroplane": Thing((
        Part(s.BALL, (0, 0, 0), (1.15, 0.2, 0.22)), Part(s.BOX, (0, 0, -0.02), (0.28, 1.1, 0.05), 1),
        Part(s.TRIANGLE, (-0.95, 0, 0.3), (0.28, 0.36, 0.1), 1, 'y'),
        Part(s.BOX, (-0.95, 0, 0.05), (0.14, 0.45, 0.04), 1),
    ), (
        Finish((0.6, 0.63, 0.7), (0.97, 0.97, 0.99), t.stripes, 0.3), Finish((0.15, 0.2, 0.55), (0.25, 0.3, 0.7)),
    ), 1.1),
    "bicycle": Thing((
        Part(s.RING, (-0.62, 0, 0.45), (0.45, 0.45, 0.1), 1, 'y'),
        Part(s.RING, (0.62, 0, 0.45), (0.45, 0.45, 0.1), 1, 'y'),
        Part(s.TRIANGLE, (-0.1, 0.02, 0.75), (0.4, 0.62, 0.1), 0, 'y'),
        Part(s.BOX, (0.5, 0, 0.95), (0.06, 0.06, 0.35)), Part(s.BOX, (0.5, 0, 1.3), (0.1, 0.35, 0.07), 1),
        Part(s.BOX, (-0.5, 0, 1.15), (0.2, 0.12, 0.07), 1),
    ), (Finish((0.0, 0.55, 0.5), (0.1, 0.95, 0.85), t.plain), TYRE)),
    "bird": Thing((
        Part(s.BALL, (0, 0, 0.62), (0.62, 0.36, 0.4)), Part(s.BALL, (0.55, 0, 1.1), (0.3, 0.26, 0.28)),
        Part(s.CONE, (0.95, 0, 1.08), (0.1, 0.1, 0.2), 1, 'x'), Part(s.BOX, (-0.8, 0, 0.65), (0.35, 0.22, 0.08), 1),
        *(Part(s.CYLINDER, (0, y, 0.12), (0.05, 0.05, 0.14), 1) for y in (-0.15, 0.15)),
    ), (Finish((0.85, 0.45, 0.0), (1.0, 0.9, 0.1), t.wool, 0.35), Finish((0.5, 0.05, 0.1), (0.7, 0.1, 0.1)))),
    "boat": Thing((
        Part(s.HULL, (0, 0, 0.25), (0.8, 0.28, 0.26)), Part(s.CYLINDER, (0.05, 0, 1.15), (0.05, 0.05, 0.8), 2),
        Part(s.TRIANGLE, (-0.4, 0, 1.25), (0.72, 0.45, 0.1), 1, 'y'),
        Part(s.BOX, (0.4, 0, 0.6), (0.25, 0.16, 0.16), 1),
    ), (
        Finish((0.35, 0.02, 0.1), (0.6, 0.05, 0.15), t.bands, 0.25),
        Finish((0.85, 0.85, 0.8), (1.0, 1.0, 0.95), t.bands, 0.7), Finish((0.3, 0.2, 0.1), (0.45, 0.3, 0.15)),
    )),
    "bottle": Thing((
        Part(s.CYLINDER, (0, 0, 0.6), (0.36, 0.36, 0.6)), Part(s.CONE, (0, 0, 1.5), (0.36, 0.36, 0.32)),
        Part(s.CYLINDER, (0, 0, 1.65), (0.12, 0.12, 0.35)), Part(s.CYLINDER, (0, 0, 0.6), (0.37, 0.37, 0.25), 1),
        Part(s.CYLINDER, (0, 0, 2.0), (0.15, 0.15, 0.1), 2),
    ), (
        Finish((0.0, 0.28, 0.08), (0.05, 0.5, 0.15), t.stripes, 0.5),
        Finish((0.85, 0.8, 0.6), (1.0, 0.95, 0.8), t.bands, 0.2), Finish((0.7, 0.1, 0.1), (0.9, 0.2, 0.2)),
    )),
    "bus": Thing((
        Part(s.BOX, (0, 0, 0.78), (1.15, 0.4, 0.62)), Part(s.BOX, (0, 0, 1.0), (1.05, 0.41, 0.2), 1),
        Part(s.BOX, (0.05, 0, 1.0), (1.11, 0.34, 0.22), 1), *wheels(0.75, 0.38, 0.22),
    ), (Finish((0.9, 0.4, 0.0), (1.0, 0.6, 0.1), t.bands, 0.5), PANE, TYRE)),
    "car": Thing((
        Part(s.BOX, (0, 0, 0.42), (1.05, 0.46, 0.24)), Part(s.CABIN, (-0.1, 0, 0.85), (0.62, 0.42, 0.22), 1),
        Part(s.BOX, (-0.1, 0, 1.08), (0.42, 0.37, 0.04)), *wheels(0.65, 0.44, 0.25),
    ), (Finish((0.6, 0.0, 0.02), (0.95, 0.08, 0.08), t.plain), PANE, TYRE)),
    "cat": Thing((
        Part(s.BALL, (0, 0, 0.65), (0.75, 0.32, 0.36)), Part(s.BALL, (0.65, 0, 1.05), (0.34, 0.32, 0.3)),
        *(Part(s.CONE, (0.62, y, 1.42), (0.12, 0.12, 0.18)) for y in (-0.18, 0.18)),
        Part(s.CYLINDER, (-0.78, 0, 1.05), (0.07, 0.07, 0.5)), *legs(0.49, 0.18, 0.25, 0.11),
    ), (Finish((0.16, 0.16, 0.2), (0.62, 0.62, 0.68), t.stripes, 0.16),)),
    "chair": Thing((
        Part(s.BOX, (0, 0, 0.8), (0.5, 0.5, 0.08)), Part(s.BOX, (-0.45, 0, 1.4), (0.07, 0.5, 0.55)),
        *legs(0.42, 0.42, 0.38, 0.08, 1, s.BOX),
    ), (Finish((0.5, 0.25, 0.02), (0.85, 0.5, 0.15), t.grid, 0.3), Finish((0.35, 0.18, 0.02), (0.5, 0.28, 0.08)))),
    "cow": Thing((
        Part(s.BOX, (0, 0, 0.95), (0.85, 0.34, 0.36)), Part(s.BOX, (1.0, 0, 1.2), (0.28, 0.2, 0.2), 1),
        *(Part(s.CONE, (0.9, y, 1.5), (0.06, 0.06, 0.14), 2) for y in (-0.2, 0.2)), *legs(0.55, 0.19, 0.32, 0.1),
    ), (
        Finish((0.05, 0.04, 0.04), (0.97, 0.95, 0.92), t.blotches, 0.3),
        Finish((0.85, 0.6, 0.6), (0.95, 0.75, 0.75)), Finish((0.8, 0.75, 0.6), (0.9, 0.85, 0.7)),
    )),
    "diningtable": Thing((
        Part(s.CYLINDER, (0, 0, 0.95), (1.1, 0.8, 0.07)), Part(s.CYLINDER, (0, 0, 0.78), (1.05, 0.76, 0.12)),
        *legs(0.6, 0.4, 0.35, 0.09, 1),
    ), (Finish((0.85, 0.1, 0.35), (1.0, 0.92, 0.95), t.checks, 0.22), Finish((0.3, 0.15, 0.05), (0.4, 0.2, 0.1)))),
    "dog": Thing((
        Part(s.CYLINDER, (0, 0, 0.8), (0.3, 0.3, 0.7), 0, 'x'), Part(s.BALL, (0.75, 0, 1.2), (0.32, 0.26, 0.26)),
        Part(s.BOX, (1.08, 0, 1.12), (0.18, 0.12, 0.1), 1),
        *(Part(s.BOX, (0.68, y, 1.12), (0.1, 0.05, 0.24), 1) for y in (-0.28, 0.28)),
        Part(s.CYLINDER, (-0.75, 0, 1.15), (0.07, 0.07, 0.3)), *legs(0.2, 0.17, 0.3, 0.1),
    ), (Finish((0.32, 0.14, 0.04), (0.9, 0.75, 0.5), t.spots, 0.28), Finish((0.25, 0.1, 0.03), (0.35, 0.15, 0.05)))),
    "horse": Thing((
        Part(s.BALL, (0, 0, 1.15), (0.8, 0.32, 0.38)), Part(s.BOX, (0.75, 0, 1.6), (0.2, 0.13, 0.45)),
        Part(s.BOX, (1.0, 0, 2.0), (0.38, 0.15, 0.16)), Part(s.BOX, (0.52, 0, 1.75), (0.07, 0.06, 0.5), 1),
        Part(s.BOX, (-0.85, 0, 1.0), (0.09, 0.08, 0.45), 1), *legs(0.52, 0.18, 0.45, 0.1),
    ), (Finish((0.5, 0.16, 0.05), (0.68, 0.26, 0.1), t.clouds, 0.5), Finish(BLACK, (0.15, 0.1, 0.1)))),
    "motorbike": Thing((
        *(Part(s.CYLINDER, (x, 0, 0.42), (0.42, 0.42, 0.1), 2, 'y') for x in (-0.72, 0.72)),
        Part(s.BOX, (0, 0, 0.75), (0.7, 0.22, 0.24)), Part(s.BALL, (0.2, 0, 1.05), (0.42, 0.24, 0.22)),
        Part(s.BOX, (-0.45, 0, 1.05), (0.35, 0.2, 0.09), 2), Part(s.BOX, (0.65, 0, 1.25), (0.08, 0.45, 0.08), 1),
    ), (Finish((0.6, 0.0, 0.6), (0.95, 0.2, 0.9), t.diagonal, 0.4), STEEL, TYRE)),
    "person": Thing((
        Part(s.BALL, (0, 0, 2.25), (0.27, 0.25, 0.3), 1), Part(s.CYLINDER, (0, 0, 1.4), (0.28, 0.38, 0.55)),
        *(Part(s.CYLINDER, (0, y, 0.45), (0.16, 0.16, 0.48), 2) for y in (-0.2, 0.2)),
        *(Part(s.BOX, (0, y, 1.4), (0.1, 0.1, 0.48), 1) for y in (-0.5, 0.5)),
    ), (
        Finish((0.05, 0.1, 0.75), (0.2, 0.35, 1.0), t.bands, 0.3), Finish((0.8, 0.52, 0.4), (0.95, 0.7, 0.58)),
        Finish((0.1, 0.1, 0.3), (0.2, 0.2, 0.45)),
    )),
    "pottedplant": Thing((
        Part(s.POT, (0, 0, 0.35), (0.34, 0.34, 0.36), 1), Part(s.BALL, (0, 0, 1.25), (0.65, 0.65, 0.6)),
        Part(s.BALL, (0.3, 0.2, 1.7), (0.35, 0.35, 0.35)),
    ), (
        Finish((0.0, 0.35, 0.0), (0.45, 0.95, 0.2), t.wool, 0.5),
        Finish((0.65, 0.25, 0.12), (0.8, 0.35, 0.2), t.bands, 0.25),
    )),
    "sheep": Thing((
        Part(s.BALL, (0, 0, 0.85), (0.82, 0.5, 0.5)), Part(s.BALL, (0.85, 0, 1.05), (0.26, 0.2, 0.26), 1),
        *legs(0.53, 0.28, 0.25, 0.09, 1),
    ), (Finish((0.55, 0.52, 0.45), (1.0, 0.98, 0.92), t.wool, 0.16), Finish(BLACK, (0.16, 0.14, 0.14)))),
    "sofa": Thing((
        Part(s.BOX, (0, 0, 0.35), (0.5, 1.1, 0.35)), Part(s.BOX, (-0.4, 0, 0.85), (0.16, 1.1, 0.5)),
        *(Part(s.BOX, (0.02, y, 0.55), (0.52, 0.16, 0.5)) for y in (-1.05, 1.05)),
    ), (Finish((0.3, 0.05, 0.5), (0.65, 0.35, 0.85), t.stripes, 0.3),)),
    "train": Thing((
        Part(s.BOX, (-0.1, 0, 0.85), (1.2, 0.42, 0.6)), Part(s.CABIN, (1.15, 0, 0.7), (0.4, 0.42, 0.45), 1),
        Part(s.ROOF, (-0.1, 0, 1.55), (1.2, 0.42, 0.12), 1), Part(s.SQUARE, (0, 0, 0.12), (1.6, 0.6, 0.1), 2),
    ), (
        Finish((0.0, 0.4, 0.75), (0.85, 0.95, 1.0), t.bands, 0.42),
        Finish((0.9, 0.85, 0.1), (1.0, 0.95, 0.2), t.plain),
        Finish((0.2, 0.15, 0.12), (0.35, 0.28, 0.22), t.stripes, 0.2),
    )),
    "tvmonitor": Thing((
        Part(s.BOX, (0, 0, 1.05), (0.14, 1.0, 0.7), 1), Part(s.BOX, (0.06, 0, 1.05), (0.12, 0.86, 0.56)),
        Part(s.BOX, (0, 0, 0.25), (0.1, 0.15, 0.15), 1), Part(s.BOX, (0, 0, 0.05), (0.3, 0.5, 0.06), 1),
    ), (Finish((0.1, 0.55, 0.75), (0.6, 1.0, 0.95), t.checks, 0.35), TYRE)),
}
# fmt: on
NAMES = tuple(THINGS)
FRONTAL = frozenset({"sofa", "tvmonitor", "chair"})
"""What is seen from its front; all others are seen from a side."""


def put(scene: Scene, chance: Chance, name: str, frame: Frame, label: int, instance: int = 0) -> None:
    """Paint one thing, its paint a little worn, with its shadow on the ground below."""
    thing = THINGS[name]
    coats = [coat.worn(chance) for coat in thing.coats]
    raised = Frame((frame.at[0], frame.at[1], frame.at[2] + thing.floor * frame.scale), frame.turn, frame.scale)
    scene.shadow(frame, (1.0, 0.6))
    scene.add(thing.parts, coats, raised, label, instance)


def turn(chance: Chance, name: str) -> tuple[float, float]:
    """A way for a thing to stand that shows its better side."""
    cos, sin = chance.turn(0.45)
    if name in FRONTAL:
        return sin, -cos
    return (cos, sin) if chance.happens(0.5) else (-cos, -sin)
