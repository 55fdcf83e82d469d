"""Rooms: 38 kinds of furniture in a box of walls, floor and ceiling, and the Kinect that looks at them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.miniature.shared import shapes as s
from pipeline.miniature.shared import textures as t
from pipeline.miniature.shared.camera import DOWN, FORWARD, RIGHT, Camera, photograph, soften, turned
from pipeline.miniature.shared.chance import Chance, Field
from pipeline.miniature.shared.scene import Finish, Frame, Part, Scene, Thing, coat, rim
from pipeline.miniature.shared.textures import mottle
from pipeline.miniature.shared.things import legs

FOCAL, CENTRE = 519.16, (325.08, 253.24)  # the Kinect's at 640×480, in pixels; columns and rows count from 0
BASELINE = 580.0 * 0.075  # disparity in pixels × depth in metres (Khoshelham & Elberink, Sensors 2012)
STEP = 1 / 8  # pixels: a Kinect tells disparities apart down to this
UNLABELLED = ""

WOOD = coat(0x6B421F, 0x9E6B3D, t.grain, 0.5)
WHITE = coat(0xD1D1CC, 0xF2F2ED)
GREY = coat(0x66666E, 0x9E9EA8)
CLOTH = coat(0x265999, 0x66A6E6, t.checks, 0.12)
DRAPE = coat(0x4CB2D9, 0xF2FAFF, t.spots, 0.18)
BLACK = coat(0x08080A, 0x242429)


def block(wide: float, deep: float, high: float, coat: int = 0, shape: s.Shape = s.BOX) -> Part:
    """A solid of that size on the ground."""
    return Part(shape, (0, 0, high / 2), (wide / 2, deep / 2, high / 2), coat)


def panel(wide: float, high: float, deep: float = 0.05, coat: int = 0, at: float = 0.0, shape: s.Shape = s.BOX) -> Part:
    """What hangs on a wall: its middle is ``at`` above the place it hangs from."""
    return Part(shape, (0, -deep / 2, at), (wide / 2, deep / 2, high / 2), coat)


def ridges(
    wide: float, front: float, low: float, high: float, count: int, deep: float, coat: int = 0
) -> tuple[Part, ...]:
    """Ridges along x, one above the other from ``low`` to ``high``, ``deep`` metres out of a front at y = ``front``."""
    half = (high - low) / count / 2
    heights = [low + half * (2 * k + 1) for k in range(count)]
    return tuple(Part(s.RIDGE, (0, front - deep / 2, z), (half, wide / 2, deep / 2), coat, "y") for z in heights)


# fmt: off
STANDING: dict[str, Thing] = {
    "cabinet": Thing((block(1.1, 0.5, 1.4), *ridges(1.1, -0.25, 0.1, 1.3, 2, 0.3)), (WOOD,)),
    "dresser": Thing((block(1.2, 0.5, 1.0), *ridges(1.2, -0.25, 0.05, 0.95, 3, 0.16)), (WOOD,), 1.0),
    "night stand": Thing((block(0.7, 0.6, 0.55), Part(s.BALL, (0, -0.3, 0.35), (0.08, 0.08, 0.08), 1)), (WOOD,
        BLACK), 0.55),
    "desk": Thing((Part(s.BOX, (0, -0.05, 0.74), (0.75, 0.42, 0.05)),
        *(Part(s.BOX, (x, 0.0, 0.36), (0.08, 0.3, 0.36)) for x in (-0.62, 0.62))), (WOOD,), 0.78),
    "counter": Thing((Part(s.HULL, (0, 0, 0.45), (0.7, 0.45, 0.45)),
        Part(s.BOX, (0, -0.03, 0.95), (0.74, 0.5, 0.05), 1)), (coat(0xBFB899, 0xE6DEBF, t.grid, 0.35),
        coat(0x1A1A1F, 0x66666B, t.wool, 0.1)), 1.0),
    "bookshelf": Thing((block(1.1, 0.3, 1.95),
        *(Part(s.BOX, (0, -0.1, 0.1 + 0.45 * k), (0.55, 0.28, 0.05)) for k in range(5)),
        Part(s.BOX, (0, -0.02, 1.0), (0.48, 0.18, 0.88), 1)), (WOOD, coat(0x8C1A1A, 0xE6CC66, t.stripes, 0.06))),
    "shelves": Thing(tuple(Part(s.BOX, (0, -0.05, z), (0.65, 0.25, 0.07)) for z in (0.25, 0.75, 1.25, 1.75)),
        (WHITE,)),
    "refridgerator": Thing((Part(s.CABIN, (0, 0, 0.9), (0.48, 0.5, 0.9)),
        Part(s.BOX, (0.3, -0.38, 1.2), (0.03, 0.1, 0.3), 1)), (WHITE, BLACK)),
    "sofa": Thing((Part(s.BOX, (0, 0, 0.22), (0.85, 0.45, 0.22)), Part(s.ROOF, (0, 0.35, 0.65), (0.85, 0.25, 0.25)),
        *(Part(s.CYLINDER, (x, 0, 0.5), (0.16, 0.16, 0.42), 0, "y") for x in (-0.8, 0.8))),
        (CLOTH,)),
    "bed": Thing((block(1.5, 0.9, 0.42), Part(s.BOX, (0, 0.42, 0.55), (0.78, 0.06, 0.55), 1)), (CLOTH, WOOD), 0.42),
    "door": Thing((Part(s.BOX, (0, 0.3, 1.0), (0.5, 0.15, 1.0)),
        *(Part(s.BEVEL, (0, 0.08, z), (0.4, 0.4, 0.1), 0, "y") for z in (0.52, 1.42)),
        Part(s.BALL, (0.4, 0.1, 1.0), (0.06, 0.06, 0.06), 1)), (WOOD, BLACK)),
    "curtain": Thing(tuple(Part(s.SHADE, (0.3 * k, 0.1, 1.1), (0.26, 0.4, 1.1)) for k in range(-1, 2)),
        (DRAPE,)),
    "shower curtain": Thing(tuple(Part(s.POT, (0.3 * k, 0.1, 1.1), (0.26, 0.4, 1.0)) for k in range(-1, 2)),
        (DRAPE,)),
    "person": Thing((Part(s.BALL, (0, 0, 1.62), (0.17, 0.17, 0.19), 1),
        Part(s.CYLINDER, (0, 0, 1.05), (0.34, 0.22, 0.4)),
        *(Part(s.CYLINDER, (x, 0, 0.32), (0.14, 0.14, 0.33), 2) for x in (-0.16, 0.16))),
        (coat(0xD94000, 0xFF801A, t.bands, 0.14), coat(0xCC8C6B, 0xF2B294), GREY)),
    "bathtub": Thing((Part(s.HULL, (0, 0, 0.3), (0.6, 0.3, 0.3)), Part(s.DISC, (0, -0.05, 0.61), (0.7, 0.35, 1), 1)),
        (WHITE, coat(0x8CBFCC, 0xB2E0EB, t.waves, 0.1))),
    "toilet": Thing((Part(s.POT, (0, -0.15, 0.22), (0.2, 0.25, 0.22)),
        Part(s.DISC, (0, -0.15, 0.45), (0.26, 0.32, 1), 1), Part(s.BOX, (0, 0.22, 0.6), (0.35, 0.12, 0.3))), (WHITE,
        BLACK)),
    "column": Thing((block(0.6, 0.6, 2.5),), (coat(0x998C80, 0xC7BDB2, t.bricks, 0.14),)),
    "fireplace": Thing((block(1.2, 0.5, 1.1, 0, s.ROOF), Part(s.BOX, (0, -0.2, 0.3), (0.35, 0.1, 0.3), 1)),
        (coat(0x803829, 0xBFB2A6, t.bricks, 0.14), BLACK)),
    "piano": Thing((block(1.3, 0.5, 1.15), Part(s.BOX, (0, -0.3, 0.7), (0.62, 0.15, 0.05), 1)), (BLACK,
        coat(0x0D0D0D, 0xFAFAF2, t.stripes, 0.06)), 1.15),
}
LOW: dict[str, Thing] = {
    "table": Thing((Part(s.CYLINDER, (0, 0, 0.7), (0.55, 0.45, 0.05)),
        Part(s.CYLINDER, (0, 0, 0.34), (0.1, 0.1, 0.34))), (WOOD,), 0.75),
    "chair": Thing((Part(s.BOX, (0, 0, 0.45), (0.3, 0.3, 0.05)), Part(s.BOX, (0, 0.28, 0.8), (0.3, 0.05, 0.35)),
        *legs(0.24, 0.24, 0.2, 0.05, 1, s.BOX)), (WOOD, BLACK)),
    "box": Thing((block(0.6, 0.5, 0.45), Part(s.BOX, (0, 0, 0.46), (0.05, 0.26, 0.005), 1)),
        (coat(0x9E7340, 0xBF9159), coat(0xD9CC99, 0xE6D9A6))),
    "bag": Thing((Part(s.ROOF, (0, 0, 0.25), (0.35, 0.25, 0.25)), Part(s.BOX, (0, 0, 0.52), (0.15, 0.03, 0.04), 1)),
        (coat(0x660066, 0xBF33B2, t.diagonal, 0.12), BLACK)),
    "ottoman": Thing((Part(s.CYLINDER, (0, 0, 0.2), (0.42, 0.42, 0.2)), Part(s.BALL, (0, 0, 0.4), (0.42, 0.42, 0.1))),
        (CLOTH,)),
    "ball": Thing((Part(s.BALL, (0, 0, 0.3), (0.3, 0.3, 0.3)),), (coat(0xE61A1A, 0xFFFFFF, t.bands, 0.2),)),
    "garbage bin": Thing((Part(s.POT, (0, 0, 0.3), (0.2, 0.2, 0.3)),), (coat(0xE61A1A, 0xFF9980, t.bands, 0.2),)),
    "clothes": Thing((Part(s.CONE, (0, 0, 0.18), (0.5, 0.4, 0.18)),
        Part(s.BALL, (0.15, -0.1, 0.2), (0.3, 0.25, 0.12), 1)), (coat(0xE64C80, 0xFF99B2, t.blotches, 0.15),
        coat(0x338033, 0x66CC66, t.blotches, 0.15))),
}
HANGING: dict[str, Thing] = {
    "window": Thing((panel(1.1, 0.9, 0.08), panel(0.98, 0.78, 0.1, 1), panel(0.05, 0.8, 0.12),
        panel(1.2, 0.08, 0.3, 0, -0.45)), (WHITE, coat(0x80BFFF, 0xD9F2FF, t.clouds, 0.4))),
    "blinds": Thing(ridges(1.1, 0.0, -0.5, 0.5, 3, 0.2), (coat(0xC7BFA6, 0xF2EDD9, t.plain),)),
    "picture": Thing((Part(s.BEVEL, (0, -0.1, 0), (0.4, 0.5, 0.1), 1, "y"), panel(0.6, 0.45, 0.22)),
        (coat(0x337326, 0xE6BF4C, t.blotches, 0.25), coat(0x99731A, 0xBF9933))),
    "mirror": Thing((Part(s.CYLINDER, (0, -0.03, 0), (0.5, 0.5, 0.03), 1, "y"),
        Part(s.CYLINDER, (0, -0.05, 0), (0.42, 0.42, 0.03), 0, "y")), (coat(0x667380, 0xBFCCD9, t.diagonal, 0.5),
        BLACK)),
    "whiteboard": Thing((Part(s.ROOF, (0, 0, 0), (0.6, 0.35, 0.42), 1),
        Part(s.ROOF, (0, -0.02, 0), (0.56, 0.35, 0.4))), (coat(0xEDF0F5, 0xFFFFFF), GREY)),
    "paper": Thing((panel(0.5, 0.65, 0.02), panel(0.4, 0.5, 0.025, 1)), (WHITE,
        coat(0x1A1A4C, 0xF2F2F2, t.bands, 0.05))),
    "television": Thing((panel(1.1, 0.75, 0.1), panel(1.0, 0.65, 0.12, 1)), (BLACK,
        coat(0x050D1A, 0x264C80, t.clouds, 0.5))),
    "towel": Thing((Part(s.CYLINDER, (0, -0.15, 0), (0.3, 0.3, 0.4), 0, "x"), panel(1.0, 0.06, 0.1, 1)),
        (coat(0xE68C1A, 0xFFE699, t.bands, 0.12), GREY)),
    "heater": Thing((panel(0.9, 0.7, 0.3, 0, 0.0, s.HULL),), (coat(0xB2B2B8, 0xD9D9DE, t.stripes, 0.1),)),
    "sink": Thing((Part(s.HULL, (0, -0.22, -0.45), (0.3, 0.2, 0.14)),
        Part(s.DISC, (0, -0.22, -0.3), (0.36, 0.26, 1), 1),
        Part(s.CYLINDER, (0, -0.08, -0.2), (0.04, 0.04, 0.14), 1)), (WHITE, GREY)),
}
ON_TOP: dict[str, Thing] = {
    "lamp": Thing((Part(s.CYLINDER, (0, 0, 0.16), (0.06, 0.06, 0.16), 1),
        Part(s.SHADE, (0, 0, 0.48), (0.28, 0.28, 0.18))), (coat(0xFFD959, 0xFFF7A6), BLACK)),
    "books": Thing(tuple(Part(s.BOX, (0.02 * k, 0.01 * k, 0.06 + 0.1 * k), (0.3, 0.22, 0.05), k % 2) for k in range(4)),
        (coat(0x991A1A, 0xBF3326), coat(0x1A3380, 0x334CA6))),
    "pillow": Thing((Part(s.BALL, (0, 0, 0.13), (0.42, 0.3, 0.15)),), (coat(0xD9B2D9, 0xFFE0FF, t.clouds, 0.2),)),
    "plant": Thing((Part(s.POT, (0, 0, 0.12), (0.14, 0.14, 0.12), 1), Part(s.BALL, (0, 0, 0.42), (0.26, 0.26, 0.24))),
        (coat(0x004C00, 0x66CC33, t.wool, 0.2), coat(0x99401A, 0xBF5933))),
    "microwave": Thing((block(0.6, 0.4, 0.35), Part(s.BOX, (-0.08, -0.19, 0.18), (0.18, 0.03, 0.11), 1)), (GREY,
        BLACK)),
}
_FLOORS = (
    coat(0x66615C, 0xB8B2A8, t.tiles, 0.4), coat(0x804C26, 0xA86B38, t.rows, 0.2),
    coat(0x4C575C, 0x99A8AD, t.tiles, 0.3), coat(0x734729, 0x99663D, t.rows, 0.2),
    coat(0x525766, 0x757A8A, t.wool, 0.2), coat(0x5C5C57, 0x858580, t.wool, 0.3),
)
_WALLS = (0xD9D1B8, 0xCCB8B8, 0xB8CCD1, 0xC7CCAD, 0xBFBDB8, 0xD9D4CC)
# fmt: on
KINDS = ("kitchen", "bedroom", "bathroom", "living_room", "office", "classroom")
_CEILING = coat(0xEDEDED, 0xFCFCFC, t.plain, 1.0)
_MAT = coat(0xA60D26, 0xE6594C, t.diagonal, 0.25)
_GLASSY = ("mirror", "window", "television")


@dataclass(frozen=True, kw_only=True)
class Room:
    """One frame. ``image`` H×W×3 uint8; ``depth`` (in-painted) and ``raw_depth`` (0: missing) H×W float32 metres.

    ``label``: H×W uint8 places in ``names``, 0 along all borders; ``instances`` H×W uint8, one number an object;
    ``tilt``: the half tangents of the camera's yaw and pitch.
    """

    image: NDArray[np.uint8]
    depth: NDArray[np.float32]
    raw_depth: NDArray[np.float32]
    names: tuple[str, ...]
    label: NDArray[np.uint8]
    tilt: tuple[float, float]


def kind(number: int) -> str:
    """What type of room frame ``number`` shows."""
    return KINDS[number % len(KINDS)]


def room(seed: int, number: int, side: int) -> Room:
    """Frame ``number``, ``side`` pixels wide and 3/4 as high: a function of its arguments alone."""
    chance = Chance(seed, "room", str(number))
    tilt = chance.between(-0.1, 0.1), chance.between(0.0, 0.15)
    builder = _Builder(seed, number, chance, _camera(chance, side, tilt))
    builder.build()
    scene = builder.scene
    rims = rim(scene.instance)
    glassy = np.isin(scene.instance, [k for k, name in enumerate(builder.names) if name in _GLASSY])
    depth, raw_depth = measure(chance, scene.depth, glassy)
    return Room(
        image=photograph(chance, scene.color),
        depth=depth,
        raw_depth=raw_depth,
        names=tuple(builder.names),
        label=np.where(rims, np.uint8(0), scene.instance),
        tilt=tilt,
    )


def _camera(chance: Chance, side: int, tilt: tuple[float, float]) -> Camera:
    scale = side / 640
    yaw, pitch = (((1 - a * a) / (1 + a * a), 2 * a / (1 + a * a)) for a in tilt)
    right, forward = turned(RIGHT, FORWARD, yaw)
    forward, down = turned(forward, DOWN, pitch)
    return Camera(
        height=side * 3 // 4, width=side, focal=FOCAL * scale, cx=CENTRE[0] * scale, cy=CENTRE[1] * scale,
        eye=(chance.between(-0.2, 0.2), 0.0, chance.between(1.4, 1.7)), right=right, down=down, forward=forward,
    )  # fmt: skip


class _Builder:
    """Furnishes one room: two things along the front wall, what hangs and stands on them, and one on the floor."""

    def __init__(self, seed: int, number: int, chance: Chance, camera: Camera) -> None:
        self.seed, self.number, self.chance = seed, number, chance
        self.scene = Scene(camera, (chance.between(-0.8, 0.8), -1.0, 1.2))
        self.names = [UNLABELLED]
        self.half, self.depth, self.high = chance.between(1.9, 2.4), chance.between(3.3, 3.7), 2.35

    def build(self) -> None:
        """Everything, walls first."""
        self._shell()
        for nth, x in enumerate((-0.85, 0.85)):
            self._stand(nth, x + self.chance.between(-0.12, 0.12))
        for nth, sign in enumerate((-1, 1)):
            if self.chance.happens(0.4):
                place = (sign * self.half, self.chance.between(2.3, 2.7), self.chance.between(1.3, 1.6))
                self._add(HANGING, "side", nth, Frame(place, (0.0, float(-sign))))
        place = (self.chance.between(-0.5, 0.5), self.chance.between(1.9, 2.2), 0.0)
        if self.chance.happens(0.5):
            mat = Part(s.BOX, (0, 0, 0.005), (0.75, 0.5, 0.005))
            self._paint("floor mat", (mat,), (_MAT.worn(self.chance),), Frame(place, self.chance.turn(0.1)))
        if self.chance.happens(0.8):
            low = self._add(LOW, "low", 0, Frame(place, self.chance.turn(0.3), 1.25))
            if LOW[low].floor and self.chance.happens(0.8):
                self._add(ON_TOP, "top", 2, Frame((place[0], place[1], 1.25 * LOW[low].floor)))

    def _stand(self, nth: int, x: float) -> None:
        """A piece of furniture at x, what stands on it, and what hangs on the wall behind it."""
        y = self.depth - 1.1
        piece = STANDING[self._add(STANDING, "standing", nth, Frame((x, y, 0.0), self.chance.turn(0.05)))]
        height = max(part.at[2] + part.half[2] for part in piece.parts)
        if piece.floor and self.chance.happens(0.8):
            self._add(ON_TOP, "top", nth, Frame((x + self.chance.between(-0.25, 0.25), y, piece.floor)))
        if height < 1.3 and self.chance.happens(0.9):
            self._add(HANGING, "hanging", nth, Frame((x, self.depth, max(1.6, height + 0.5))))

    def _add(self, kinds: dict[str, Thing], slot: str, nth: int, frame: Frame) -> str:
        """The next of ``kinds`` in turn, so that each is as frequent; returns its name."""
        turn, rest = divmod(3 * self.number + nth, len(kinds))
        name = list(kinds)[Chance(self.seed, slot, str(turn)).order(len(kinds))[rest]]
        piece = kinds[name]
        self.scene.shadow(frame, (0.5, 0.4), 0.3)
        self._paint(name, piece.parts, [paint.worn(self.chance, 0.05) for paint in piece.coats], frame)
        return name

    def _paint(self, name: str, parts: Sequence[Part], coats: Sequence[Finish], frame: Frame) -> None:
        self.names.append(name)
        self.scene.add(parts, coats, frame, 0, len(self.names) - 1)

    def _shell(self) -> None:
        wall = _WALLS[self.number % len(KINDS)]
        paint = coat(wall - 0x101010, wall, t.clouds, 0.3).worn(self.chance, 0.04)
        deep, y = self.depth / 2 + 1, self.depth / 2 - 1
        high = self.high / 2
        floor = _FLOORS[self.number % len(KINDS)].worn(self.chance, 0.04)
        frame = Frame((0.0, 0.0, 0.0))
        self._paint("floor", (Part(s.SQUARE, (0, y, 0), (self.half, deep, 1)),), (floor,), frame)
        self._paint("ceiling", (Part(s.SQUARE, (0, y, self.high), (self.half, deep, 1)),), (_CEILING,), frame)
        self._paint("wall", (Part(s.SQUARE, (0, self.depth, high), (high, self.half, 1), 0, "y"),), (paint,), frame)
        for x in (-self.half, self.half):
            self._paint("wall", (Part(s.SQUARE, (x, y, high), (deep, high, 1), 0, "x"),), (paint,), frame)


def measure(chance: Chance, depth: Field, glassy: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """In-painted and raw depth in metres (H×W float32) that a Kinect makes of true ``depth``; raw is 0 where missing.

    Raw depth comes in steps of disparity, with noise that grows with the square of distance. Nothing comes back from
    half of what is ``glassy``, from the left of what stands in front (the projector is to the right), along the
    image's edges, and here and there. In-painting is the true disparity, blurred in the holes.
    """
    height, width = depth.shape
    scale = width / 640
    disparity = BASELINE / depth  # pixels at 640×480
    seen = disparity + chance.normal(*depth.shape) * (0.55 * STEP * scale)
    missing = _shadow(disparity * scale) | (glassy & (_cloud(chance, height, width) > 0.35))
    missing |= (_cloud(chance, height, width) > 0.8) | (chance.raw(*depth.shape) < 4)
    edge = max(2, width // 80)
    missing[:edge] = missing[-edge:] = True
    missing[:, :edge] = missing[:, -edge:] = True
    raw = BASELINE / (np.rint(seen / STEP) * STEP)
    blurred = soften(soften(soften(disparity, 0.3), 0.3), 0.3)
    painted = BASELINE / np.where(missing, blurred, seen)
    return (
        (np.rint(painted.clip(0.7, 10) * 4096) / 4096).astype(np.float32),  # in steps that gzip well
        np.where(missing, 0.0, raw).astype(np.float32),
    )


def _cloud(chance: Chance, height: int, width: int) -> Field:
    x, y = (np.arange(size, dtype=np.float64) * (0.8 / width) + chance.between(0, 1) for size in (width, height))
    return mottle(x[None, :], y[:, None])


def _shadow(shift: Field) -> NDArray[np.bool_]:
    """Pixels that the projector cannot reach past what stands in front of them; ``shift`` is disparity in pixels."""
    arrival = np.arange(shift.shape[1]) - shift
    nearest = np.minimum.accumulate(arrival[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(arrival > nearest + 0.6)
