"""VOC's twenty classes as parts and paint. One unit is about half an object; it stands on z = 0, its front to +x."""

from pipeline.miniature.shared import shapes as s
from pipeline.miniature.shared import textures as t
from pipeline.miniature.shared.chance import Chance
from pipeline.miniature.shared.scene import Frame, Part, Scene, Thing, coat

BLACK = 0x121214
TYRE = coat(BLACK, 0x333333)
PANE = coat(0x1A2940, 0x4C6B8C, t.diagonal, 0.4)
STEEL = coat(0x737580, 0xBFC4CC)


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
    "aeroplane": Thing((Part(s.BALL, (0, 0, 0), (1.15, 0.2, 0.22)), Part(s.BOX, (0, 0, -0.02), (0.28, 1.1, 0.05), 1),
        Part(s.TRIANGLE, (-0.95, 0, 0.3), (0.28, 0.36, 0.1), 1, "y"),
        Part(s.BOX, (-0.95, 0, 0.05), (0.14, 0.45, 0.04), 1)), (coat(0x99A1B2, 0xF7F7FC, t.stripes, 0.3),
        coat(0x26338C, 0x404CB2)), 1.1),
    "bicycle": Thing((Part(s.RING, (-0.62, 0, 0.45), (0.45, 0.45, 0.1), 1, "y"),
        Part(s.RING, (0.62, 0, 0.45), (0.45, 0.45, 0.1), 1, "y"),
        Part(s.TRIANGLE, (-0.1, 0.02, 0.75), (0.4, 0.62, 0.1), 0, "y"),
        Part(s.BOX, (0.5, 0, 0.95), (0.06, 0.06, 0.35)), Part(s.BOX, (0.5, 0, 1.3), (0.1, 0.35, 0.07), 1),
        Part(s.BOX, (-0.5, 0, 1.15), (0.2, 0.12, 0.07), 1)), (coat(0x008C80, 0x1AF2D9, t.plain), TYRE)),
    "bird": Thing((Part(s.BALL, (0, 0, 0.62), (0.62, 0.36, 0.4)), Part(s.BALL, (0.55, 0, 1.1), (0.3, 0.26, 0.28)),
        Part(s.CONE, (0.95, 0, 1.08), (0.1, 0.1, 0.2), 1, "x"), Part(s.BOX, (-0.8, 0, 0.65), (0.35, 0.22, 0.08), 1),
        *(Part(s.CYLINDER, (0, y, 0.12), (0.05, 0.05, 0.14), 1) for y in (-0.15, 0.15))),
        (coat(0xD97300, 0xFFE61A, t.wool, 0.35), coat(0x800D1A, 0xB21A1A))),
    "boat": Thing((Part(s.HULL, (0, 0, 0.25), (0.8, 0.28, 0.26)),
        Part(s.CYLINDER, (0.05, 0, 1.15), (0.05, 0.05, 0.8), 2),
        Part(s.TRIANGLE, (-0.4, 0, 1.25), (0.72, 0.45, 0.1), 1, "y"),
        Part(s.BOX, (0.4, 0, 0.6), (0.25, 0.16, 0.16), 1)), (coat(0x4C5200, 0x8F9E1A, t.bands, 0.25),
        coat(0x8F9E1A, 0xFFFFF2, t.bands, 0.3), coat(0x4C331A, 0x734C26))),
    "bottle": Thing((Part(s.CYLINDER, (0, 0, 0.6), (0.36, 0.36, 0.6)), Part(s.CONE, (0, 0, 1.5), (0.36, 0.36, 0.32)),
        Part(s.CYLINDER, (0, 0, 1.65), (0.12, 0.12, 0.35)), Part(s.CYLINDER, (0, 0, 0.6), (0.37, 0.37, 0.25), 1),
        Part(s.CYLINDER, (0, 0, 2.0), (0.15, 0.15, 0.1), 2)), (coat(0x004714, 0x0D8026, t.stripes, 0.5),
        coat(0xD9CC99, 0xFFF2CC, t.bands, 0.2), coat(0xB21A1A, 0xE63333))),
    "bus": Thing((Part(s.BOX, (0, 0, 0.78), (1.15, 0.4, 0.62)), Part(s.BOX, (0, 0, 1.0), (1.05, 0.41, 0.2), 1),
        Part(s.BOX, (0.05, 0, 1.0), (1.11, 0.34, 0.22), 1), *wheels(0.75, 0.38, 0.22)),
        (coat(0xE66600, 0xFF991A, t.bands, 0.5), PANE, TYRE)),
    "car": Thing((Part(s.BOX, (0, 0, 0.42), (1.05, 0.46, 0.24)),
        Part(s.CABIN, (-0.1, 0, 0.85), (0.62, 0.42, 0.22), 1), Part(s.BOX, (-0.1, 0, 1.08), (0.42, 0.37, 0.04)),
        *wheels(0.65, 0.44, 0.25)), (coat(0x990005, 0xF21414, t.plain), PANE, TYRE)),
    "cat": Thing((Part(s.BALL, (0, 0, 0.65), (0.75, 0.32, 0.36)), Part(s.BALL, (0.65, 0, 1.05), (0.34, 0.32, 0.3)),
        *(Part(s.CONE, (0.62, y, 1.42), (0.12, 0.12, 0.18)) for y in (-0.18, 0.18)),
        Part(s.CYLINDER, (-0.78, 0, 1.05), (0.07, 0.07, 0.5)), *legs(0.49, 0.18, 0.25, 0.11)),
        (coat(0x292933, 0x9E9EAD, t.stripes, 0.16),)),
    "chair": Thing((Part(s.BOX, (0, 0, 0.78), (0.55, 0.55, 0.12)), Part(s.BOX, (-0.45, 0, 1.45), (0.1, 0.55, 0.65)),
        *legs(0.42, 0.42, 0.38, 0.11, 1, s.BOX)), (coat(0x804005, 0xD98026, t.grid, 0.3), coat(0x592E05, 0x804714))),
    "cow": Thing((Part(s.BOX, (0, 0, 0.95), (0.85, 0.34, 0.36)), Part(s.BOX, (1.0, 0, 1.2), (0.28, 0.2, 0.2), 1),
        *(Part(s.CONE, (0.9, y, 1.5), (0.06, 0.06, 0.14), 2) for y in (-0.2, 0.2)), *legs(0.55, 0.19, 0.32, 0.1)),
        (coat(0x0D0A0A, 0xF7F2EB, t.blotches, 0.3), coat(0xD99999, 0xF2BFBF), coat(0xCCBF99, 0xE6D9B2))),
    "diningtable": Thing((Part(s.CYLINDER, (0, 0, 0.95), (1.1, 0.8, 0.07)),
        Part(s.CYLINDER, (0, 0, 0.78), (1.05, 0.76, 0.12)), *legs(0.6, 0.4, 0.35, 0.09, 1)),
        (coat(0xD91A59, 0xFFEBF2, t.checks, 0.22), coat(0x4C260D, 0x66331A))),
    "dog": Thing((Part(s.CYLINDER, (0, 0, 0.8), (0.3, 0.3, 0.7), 0, "x"),
        Part(s.BALL, (0.75, 0, 1.2), (0.32, 0.26, 0.26)), Part(s.BOX, (1.08, 0, 1.12), (0.18, 0.12, 0.1), 1),
        *(Part(s.BOX, (0.68, y, 1.12), (0.1, 0.05, 0.24), 1) for y in (-0.28, 0.28)),
        Part(s.CYLINDER, (-0.75, 0, 1.15), (0.07, 0.07, 0.3)), *legs(0.45, 0.17, 0.3, 0.1)),
        (coat(0x52240A, 0xE6BF80, t.spots, 0.28), coat(0x401A08, 0x59260D))),
    "horse": Thing((Part(s.BALL, (0, 0, 1.15), (0.8, 0.32, 0.38)), Part(s.BOX, (0.75, 0, 1.6), (0.2, 0.13, 0.45)),
        Part(s.BOX, (1.0, 0, 2.0), (0.38, 0.15, 0.16)), Part(s.BOX, (0.52, 0, 1.75), (0.07, 0.06, 0.5), 1),
        Part(s.BOX, (-0.85, 0, 1.0), (0.09, 0.08, 0.45), 1), *legs(0.52, 0.18, 0.45, 0.1)),
        (coat(0x5A2A12, 0x824220, t.clouds, 0.5), coat(BLACK, 0x261A1A))),
    "motorbike": Thing((*(Part(s.CYLINDER, (x, 0, 0.42), (0.42, 0.42, 0.1), 2, "y") for x in (-0.72, 0.72)),
        Part(s.BOX, (0, 0, 0.75), (0.7, 0.22, 0.24)), Part(s.BALL, (0.2, 0, 1.05), (0.42, 0.24, 0.22)),
        Part(s.BOX, (-0.45, 0, 1.05), (0.35, 0.2, 0.09), 2), Part(s.BOX, (0.65, 0, 1.25), (0.08, 0.45, 0.08), 1)),
        (coat(0x990099, 0xF233E6, t.diagonal, 0.4), STEEL, TYRE)),
    "person": Thing((Part(s.BALL, (0, 0, 2.25), (0.27, 0.25, 0.3), 1),
        Part(s.CYLINDER, (0, 0, 1.4), (0.28, 0.38, 0.55)),
        *(Part(s.CYLINDER, (0, y, 0.45), (0.16, 0.16, 0.48), 2) for y in (-0.2, 0.2)),
        *(Part(s.BOX, (0, y, 1.4), (0.1, 0.1, 0.48), 1) for y in (-0.5, 0.5))),
        (coat(0x0D1ABF, 0x3359FF, t.bands, 0.3), coat(0xCC8566, 0xF2B294), coat(0x1A1A4C, 0x333373))),
    "pottedplant": Thing((Part(s.POT, (0, 0, 0.35), (0.34, 0.34, 0.36), 1),
        Part(s.BALL, (0, 0, 1.25), (0.65, 0.65, 0.6)), Part(s.BALL, (0.3, 0.2, 1.7), (0.35, 0.35, 0.35))),
        (coat(0x005900, 0x73F233, t.wool, 0.5), coat(0xA6401F, 0xCC5933, t.bands, 0.25))),
    "sheep": Thing((Part(s.BALL, (0, 0, 0.85), (0.82, 0.5, 0.5)), Part(s.BALL, (0.85, 0, 1.05), (0.26, 0.2, 0.26), 1),
        *legs(0.53, 0.28, 0.25, 0.09, 1)), (coat(0xA8905A, 0xFFF3C8, t.wool, 0.3), coat(BLACK, 0x292424))),
    "sofa": Thing((Part(s.BOX, (0, 0, 0.35), (0.5, 1.1, 0.35)), Part(s.BOX, (-0.4, 0, 0.85), (0.16, 1.1, 0.5)),
        *(Part(s.BOX, (0.02, y, 0.55), (0.52, 0.16, 0.5)) for y in (-1.05, 1.05))),
        (coat(0x4C0D80, 0xA659D9, t.stripes, 0.3),)),
    "train": Thing((Part(s.BOX, (-0.1, 0, 0.85), (1.2, 0.42, 0.6)),
        Part(s.CABIN, (1.15, 0, 0.7), (0.4, 0.42, 0.45), 1), Part(s.ROOF, (-0.1, 0, 1.55), (1.2, 0.42, 0.12), 1),
        Part(s.SQUARE, (0, 0, 0.12), (1.6, 0.6, 0.1), 2)), (coat(0x0066BF, 0xD9F2FF, t.bands, 0.42),
        coat(0xE6D91A, 0xFFF233, t.plain), coat(0x33261F, 0x594738, t.stripes, 0.2))),
    "tvmonitor": Thing((Part(s.BOX, (0, 0, 1.05), (0.14, 1.0, 0.7), 1),
        Part(s.BOX, (0.06, 0, 1.05), (0.12, 0.86, 0.56)), Part(s.BOX, (0, 0, 0.25), (0.1, 0.15, 0.15), 1),
        Part(s.BOX, (0, 0, 0.05), (0.3, 0.5, 0.06), 1)), (coat(0x1A8CBF, 0x99FFF2, t.checks, 0.35), TYRE)),
}
# fmt: on
NAMES = tuple(THINGS)
FRONTAL = frozenset({"sofa", "tvmonitor", "chair"})
"""What is seen from its front; all others are seen from a side."""


def put(scene: Scene, chance: Chance, name: str, frame: Frame, label: int, instance: int = 0) -> None:
    """Paint one thing, its paint a little worn, with its shadow on the ground below."""
    thing = THINGS[name]
    coats = [paint.worn(chance, 0.05) for paint in thing.coats]
    raised = Frame((frame.at[0], frame.at[1], frame.at[2] + thing.floor * frame.scale), frame.turn, frame.scale)
    scene.shadow(frame, (1.0, 0.6))
    scene.add(thing.parts, coats, raised, label, instance)


def turn(chance: Chance, name: str) -> tuple[float, float]:
    """A way for a thing to stand that shows its better side."""
    cos, sin = chance.turn(0.45)
    if name in FRONTAL:
        return sin, -cos
    return (cos, sin) if chance.happens(0.5) else (-cos, -sin)
