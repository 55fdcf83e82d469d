"""Landscapes and streets: SIFT Flow's 33 classes, in eight kinds of scene, and which way each class faces."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.miniature.shared import shapes as s
from pipeline.miniature.shared import textures as t
from pipeline.miniature.shared import things
from pipeline.miniature.shared.camera import Camera, Vector, photograph
from pipeline.miniature.shared.chance import Chance, Color
from pipeline.miniature.shared.scene import Finish, Frame, Part, Scene, Thing, coat, rim
from pipeline.miniature.shared.textures import mottle
from pipeline.miniature.shared.things import PANE, STEEL

NAMES = (
    *("awning", "balcony", "bird", "boat", "bridge", "building", "bus", "car", "cow", "crosswalk", "desert"),
    *("door", "fence", "field", "grass", "moon", "mountain", "person", "plant", "pole", "river", "road"),
    *("rock", "sand", "sea", "sidewalk", "sign", "sky", "staircase", "streetlight", "sun", "tree", "window"),
)
"""In the published order; class i of a label map (1–33) is ``NAMES[i - 1]``, 0 is unlabelled."""

GEOMETRIES = ("sky", "horizontal", "vertical")
HORIZONTAL = frozenset({"crosswalk", "desert", "field", "grass", "river", "road", "sand", "sea", "sidewalk"})
KINDS = ("coast", "forest", "highway", "insidecity", "mountain", "opencountry", "street", "tallbuilding")
CODE = {name: code for code, name in enumerate(NAMES, 1)}


def _facing(name: str) -> int:
    return 1 if name in ("sky", "sun", "moon") else 2 if name in HORIZONTAL else 3


FACING: NDArray[np.int8] = np.array([-1, *map(_facing, NAMES)], np.int8)
"""Geometry (1 sky, 2 horizontal, 3 vertical, −1 void) by code."""

BRICK = coat(0x803326, 0xB89E8C, t.bricks, 0.7)
PLASTER = coat(0xB89E73, 0xE0C799, t.clouds, 1.0)
CONCRETE = coat(0x737378, 0xA6A6A8, t.bands, 1.6)
GROUND: dict[str, Finish] = {
    "crosswalk": coat(0x2E2E30, 0xF5F5F5, t.rows, 0.45),
    "desert": coat(0xAD521F, 0xE0803D, t.waves, 0.7),
    "field": coat(0x3A5A10, 0x8FA02A, t.rows, 0.6),
    "grass": coat(0x1F5914, 0x4C9429, t.wool, 0.3),
    "river": coat(0x0A3A70, 0x2468B0, t.waves, 0.3),
    "road": coat(0x333338, 0x4C4C52, t.wool, 0.3),
    "sand": coat(0xD1BD85, 0xF5E3AD, t.wool, 0.4),
    "sea": coat(0x082680, 0x2659BF, t.waves, 0.6),
    "sidewalk": coat(0x4A4A50, 0x75757C, t.tiles, 0.8),
}
TRUNK = coat(0x402614, 0x664224, t.bands, 0.2)
LEAVES = coat(0x05330A, 0x33801F, t.wool, 0.5)


# fmt: off
THINGS: dict[str, Thing] = {
    "tree": Thing((Part(s.CYLINDER, (0, 0, 1.2), (0.22, 0.22, 1.2), 1), Part(s.BALL, (0, 0, 3.6), (1.6, 1.6, 1.6)),
        Part(s.BALL, (0.7, -0.3, 4.6), (1.0, 1.0, 1.0))), (LEAVES, TRUNK)),
    "fir": Thing((Part(s.CYLINDER, (0, 0, 0.5), (0.2, 0.2, 0.5), 1), Part(s.CONE, (0, 0, 3.2), (1.5, 1.5, 2.4))),
        (LEAVES, TRUNK)),
    "plant": Thing(tuple(Part(s.BALL, (0.5 * k, 0.1 * k, 0.5), (0.55, 0.5, 0.5 + 0.08 * k)) for k in (-1, 0, 1)),
        (coat(0x408000, 0xF259BF, t.spots, 0.22),)),
    "pole": Thing((Part(s.CYLINDER, (0, 0, 2.6), (0.16, 0.16, 2.6)), Part(s.BOX, (0, 0, 4.7), (0.9, 0.1, 0.12))),
        (coat(0x40240F, 0x61381F),)),
    "streetlight": Thing((Part(s.CYLINDER, (0, 0, 2.2), (0.12, 0.12, 2.2)),
        Part(s.SHADE, (0, 0, 4.5), (0.55, 0.55, 0.3)), Part(s.BALL, (0, 0, 4.2), (0.35, 0.35, 0.3), 1)),
        (coat(0x0D404C, 0x1F6673), coat(0xFFF299, 0xFFFFD9))),
    "sign": Thing((Part(s.BOX, (0, 0.1, 1.0), (0.1, 0.06, 1.0), 1), Part(s.BOX, (0, 0, 2.5), (0.9, 0.06, 0.6))),
        (coat(0xF2D900, 0x001A99, t.bands, 0.3), STEEL)),
    "fence": Thing((Part(s.BOX, (0, 0, 0.6), (2.6, 0.06, 0.6)),), (coat(0x805C38, 0xDBBD8F, t.stripes, 0.22),)),
    "rock": Thing((Part(s.BALL, (0, 0, 0.4), (0.9, 0.7, 0.6)), Part(s.BALL, (0.7, -0.2, 0.2), (0.5, 0.5, 0.4))),
        (coat(0x4C423D, 0x9E9185, t.blotches, 0.35),)),
    "bridge": Thing((Part(s.BOX, (0, 0, 3.6), (14, 1.2, 0.5)), Part(s.BOX, (0, -1.2, 4.4), (14, 0.08, 0.4), 1),
        *(Part(s.BOX, (x, 0, 1.6), (0.6, 1.0, 1.6)) for x in (-6, 6))), (coat(0x8C4C66, 0xB8738C, t.bricks, 0.6),
        coat(0x991A26, 0xCC3333, t.grid, 0.4))),
    "staircase": Thing(
        tuple(Part(s.BOX, (0, -0.4 * k, 0.8 - 0.2 * k), (1.3, 0.25, 0.8 - 0.2 * k), k % 2) for k in range(4)),
        (coat(0xBFB8CC, 0xD9D1E6), coat(0x736B80, 0x8C8599))),
    "door": Thing((Part(s.BOX, (0, 0, 1.3), (0.75, 0.1, 1.3)), Part(s.BALL, (0.5, -0.15, 1.2), (0.12, 0.1, 0.12), 1)),
        (coat(0x00471A, 0x0D6B33, t.checks, 0.7), STEEL)),
    "awning": Thing((Part(s.ROOF, (0, -0.5, 0.3), (1.6, 0.9, 0.4)),), (coat(0xD90D1A, 0xFFF2E6, t.stripes, 0.35),)),
    "balcony": Thing((Part(s.BOX, (0, -0.5, 0.55), (1.4, 0.6, 0.55)),
        Part(s.BOX, (0, -0.5, 0.0), (1.5, 0.7, 0.1), 1)), (coat(0x1A1A1F, 0xD9CCBF, t.grid, 0.35), STEEL)),
    "window": Thing((Part(s.BOX, (0, 0, 0), (0.85, 0.06, 1.0), 1), Part(s.BOX, (0, 0, 0), (0.7, 0.12, 0.85))), (PANE,
        coat(0xE6E6E0, 0xFAFAF5))),
}
# fmt: on
_SCALES = {"person": 0.75, "car": 2.0, "bus": 2.9, "boat": 2.2, "bird": 0.9, "cow": 0.95}


@dataclass(frozen=True, kw_only=True)
class View:
    """One square photograph (H×W×3 uint8), ``semantic`` (uint8, 0 void) and ``geometric`` (int8, −1 void) codes."""

    image: NDArray[np.uint8]
    semantic: NDArray[np.uint8]
    geometric: NDArray[np.int8]


def view(seed: int, name: str, side: int, without: frozenset[str] = frozenset()) -> View:
    """The scene ``name``, whose letters before "_" are one of ``KINDS``; classes of ``without`` never occur in it."""
    builder = _Builder(Chance(seed, "view", name), side, without)
    getattr(builder, name.split("_")[0])()
    label = builder.scene.label
    facing = FACING[label]
    return View(
        image=photograph(builder.chance, builder.scene.color),
        semantic=np.where(rim(label, thin=True), np.uint8(0), label),
        geometric=np.where(rim(facing.astype(np.uint8), thin=True), np.int8(-1), facing),
    )


class _Builder:
    """Builds one scene; each kind is a method."""

    def __init__(self, chance: Chance, side: int, without: frozenset[str]) -> None:
        self.chance, self.side, self.without = chance, side, without
        camera = Camera(
            height=side, width=side, focal=1.1 * side, cx=side / 2, cy=side * chance.between(0.42, 0.52),
            eye=(0.0, 0.0, chance.between(1.8, 2.4)),
        )  # fmt: skip
        self.scene = Scene(camera, (chance.between(-1, 1), chance.between(-1.5, -0.5), 1.0))

    def coast(self) -> None:
        self.sky(sun=0.5)
        if self.chance.happens(0.3):
            self.mountains(1)
        self.ground("sea")
        self.ground("sand", far=self.chance.between(6.5, 9), height=0.02)
        self.several("boat", 2, (11, 18))
        self.several("rock", 2, (5, 8))
        self.several("person", 1, (5, 7))
        self.birds(2)

    def forest(self) -> None:
        self.sky()
        self.ground(self.chance.pick(("grass", "grass", "field")))
        if self.chance.happens(0.4):
            self.strip("river", self.chance.between(-2, 2), 1.6)
        for far, count in ((17, 4), (10, 3)):
            for _ in range(count):
                self.one(self.chance.pick(("tree", "fir")), (far - 3, far + 3))
        self.several("plant", 2, (5, 8))
        self.several("rock", 1, (5, 8))

    def highway(self) -> None:
        self.sky(sun=0.2)
        if self.chance.happens(0.4):
            self.mountains(1)
        self.ground(self.chance.pick(("grass", "field", "desert")))
        self.strip("road", 0.0, 3.8)
        if self.chance.happens(0.4):
            self.add("bridge", (self.chance.between(-3, 3), self.chance.between(16, 20), 0.0))
        for sign in (-1, 1):
            name = self.chance.pick(("fence", "fence", "sign", "streetlight", "pole"))
            x, y = sign * self.chance.between(4.2, 5), self.chance.between(8, 11)
            self.add(name, (x, y, 0.0), (0.35, sign * 0.94) if name == "fence" else (1.0, 0.0))
        self.one("sign", (7, 10))
        self.one(self.chance.pick(("car", "bus")), (11, 15), 1.5)
        self.several("car", 1, (8, 11), 1.5)

    def insidecity(self) -> None:
        self.sky()
        self.ground("sidewalk")
        self.ground("road", far=self.chance.between(6, 7.5), height=0.01)
        self.facade((self.chance.between(-2, 2), self.chance.between(11, 13), 0.0), shop=True)
        self.several("person", 1, (6, 9))
        self.one(self.chance.pick(("pole", "streetlight", "plant", "sign")), (8, 9.5))
        self.several("car", 1, (7, 8))

    def mountain(self) -> None:
        self.sky(sun=0.15, moon=0.3)
        self.mountains(3)
        self.ground(self.chance.pick(("grass", "desert", "field")))
        if self.chance.happens(0.5):
            self.strip("river", self.chance.between(-2, 2), 2.0)
        self.several("fir", 2, (12, 20))
        self.several("rock", 2, (5, 9))

    def opencountry(self) -> None:
        self.sky(sun=0.3, moon=0.35)
        ground = self.chance.pick(("field", "desert", "grass"))
        self.ground(ground)
        if ground != "desert" and self.chance.happens(0.5):
            self.ground("grass" if ground == "field" else "field", far=self.chance.between(7, 10), height=0.01)
        if ground == "desert":
            self.several("rock", 2, (6, 10))
        else:
            self.several("cow", 2, (5, 9))
            self.several("tree", 2, (12, 18))
            self.several("fence", 1, (9, 12))
        self.birds(1)

    def street(self) -> None:
        self.sky()
        self.ground("sidewalk")
        self.strip("road", 0.0, 3.4)
        for sign in (-1, 1):
            for y in (8.0, 20.0):
                self.facade((sign * 6.5, y, 0.0), (0.0, float(-sign)), deep=2.0)
        if self.chance.happens(0.6):
            near = self.chance.between(5, 6.5)
            self.patch("crosswalk", (0.0, near, 0.03), (3.4, 1.6))
        self.one(self.chance.pick(("car", "car", "bus")), (9, 13), 1.5)
        for sign in (-1, 1):
            name = self.chance.pick(("streetlight", "tree", "pole", "person", "sign"))
            self.add(name, (sign * self.chance.between(4, 4.8), self.chance.between(7, 10), 0.0))
        self.several("person", 1, (6, 8), 2.0)

    def tallbuilding(self) -> None:
        self.sky(moon=0.15)
        self.ground(self.chance.pick(("grass", "sidewalk", "road")))
        self.facade((self.chance.between(-5, 5), 22.0, 0.0), floors=6)
        self.facade((self.chance.between(-3, 3), 15.0, 0.0), floors=self.chance.whole(3, 6), wide=2)
        self.several("tree", 1, (9, 12))
        self.several("plant", 2, (6, 9))
        self.birds(1)

    def sky(self, sun: float = 0.0, moon: float = 0.0) -> None:
        """What no ray reaches; with a sun or a moon as often as those say."""
        looks: tuple[tuple[Color, Color], ...] = (
            ((0.75, 0.85, 0.95), (0.35, 0.6, 0.92)),
            ((0.8, 0.85, 0.9), (0.55, 0.7, 0.88)),
            ((0.78, 0.78, 0.78), (0.64, 0.66, 0.7)),
        )
        sunny, moonlit = self.chance.happens(sun), self.chance.happens(moon) and "moon" not in self.without
        low, high = ((0.35, 0.36, 0.5), (0.08, 0.1, 0.28)) if moonlit else self.chance.pick(looks)
        camera = self.scene.camera
        clouds = mottle(camera.u + self.chance.between(0, 1), 2 * camera.v + self.chance.between(0, 1))
        self.scene.sky(CODE["sky"], low, high, (0.15 if moonlit else 0.6) * clouds)
        if not (sunny or moonlit):
            return
        x, z, size = self.chance.between(-250, 250), self.chance.between(170, 270), self.chance.between(55, 80)
        shape, color = (s.CRESCENT, (0.95, 0.95, 0.85)) if moonlit else (s.DISC, (1.0, 0.85, 0.1))
        part = Part(shape, (x, 900, z), (size, size, 1), 0, "y")
        self.scene.paint(part, Finish(color, (1.4, 1.3, 1.0)), Frame((0, 0, 0)), CODE["moon" if moonlit else "sun"])

    def ground(self, name: str, far: float = 5e3, height: float = 0.0) -> None:
        """The ground from the camera to ``far`` metres."""
        self.patch(name, (0.0, far / 2, height), (5e3, far / 2))

    def strip(self, name: str, x: float, half: float) -> None:
        """A road or river that leads away from the camera."""
        self.patch(name, (x, 500.0, 0.02), (half, 500.0))

    def patch(self, name: str, at: Vector, half: tuple[float, float]) -> None:
        """A rectangle on the ground; grass in place of a class that may not occur."""
        name = "grass" if name in self.without else name
        finish = GROUND[name].worn(self.chance, 0.05)
        self.scene.paint(Part(s.SQUARE, at, (*half, 1.0)), finish, Frame((0.0, 0.0, 0.0)), CODE[name])

    def mountains(self, count: int) -> None:
        """Far and wide."""
        paint = coat(0x5C6170, 0xB2B2BD, t.blotches, 60)
        for _ in range(count):
            high = self.chance.between(60, 120)
            at = (self.chance.between(-150, 150), self.chance.between(350, 450), high - 4)
            part = Part(self.chance.pick((s.CONE, s.PYRAMID)), at, (2.2 * high, 100, high))
            self.scene.paint(part, paint.worn(self.chance), Frame((0.0, 0.0, 0.0)), CODE["mountain"])

    def birds(self, most: int) -> None:
        """In the sky."""
        for _ in range(self.chance.whole(0, most + 1)):
            y = self.chance.between(6, 9)
            self.add("bird", (self.chance.between(-0.35, 0.35) * y, y, 2 + self.chance.between(0.1, 0.3) * y))

    def several(self, name: str, most: int, far: tuple[float, float], within: float = 0.0) -> None:
        """None to ``most`` of a class."""
        for _ in range(self.chance.whole(0, most + 1)):
            self.one(name, far, within)

    def one(self, name: str, far: tuple[float, float], within: float = 0.0) -> None:
        """One of a class, so many metres away and in sight, or ``within`` so many metres of the middle."""
        y = self.chance.between(*far)
        x = within or 0.42 * y
        self.add(name, (self.chance.between(-x, x), y, 0.0))

    def add(self, name: str, at: Vector, turn: tuple[float, float] = (1.0, 0.0)) -> None:
        """One of a class at a place."""
        if name in self.without:
            return
        if name in _SCALES:
            frame = Frame(at, things.turn(self.chance, name), _SCALES[name] * self.chance.between(0.9, 1.15))
            things.put(self.scene, self.chance, name, frame, CODE[name])
            return
        thing = THINGS[name]
        frame = Frame(at, turn, self.chance.between(0.9, 1.15))
        if at[2] == 0:
            self.scene.shadow(frame, (1.0, 1.0), 0.3)
        coats = [paint.worn(self.chance, 0.05) for paint in thing.coats]
        self.scene.add(thing.parts, coats, frame, CODE["tree" if name == "fir" else name])

    def facade(
        self, at: Vector, turn: tuple[float, float] = (1.0, 0.0), *, floors: int = 0, wide: int = 3,
        deep: float = 4.0, shop: bool = False,
    ) -> None:  # fmt: skip
        """A building whose front faces the camera before it is turned, with windows, and a door below."""
        floors = floors or self.chance.whole(2, 4)
        finish = self.chance.pick((BRICK, PLASTER, CONCRETE)).worn(self.chance)
        frame = Frame(at, turn)
        half = 1.6 * wide
        high = 1.6 * floors + 0.4
        self.scene.paint(Part(s.BOX, (0, deep, high), (half, deep, high)), finish, frame, CODE["building"])
        for floor in range(floors):
            for column in range(wide):
                spot = frame.point((3.2 * column + 1.6 - half, 0.0, 3.2 * floor + 1.9))
                below = frame.point((3.2 * column + 1.6 - half, 0.0, 3.2 * floor))
                if floor == 0 and column == wide // 2:
                    self.add(self.chance.pick(("door", "door", "staircase")), below, turn)
                    continue
                self.add("window", spot, turn)
                if floor == 0 and (shop or self.chance.happens(0.15)):
                    self.add("awning", (spot[0], spot[1], spot[2] + 0.9), turn)
                elif floor and self.chance.happens(0.3):
                    self.add("balcony", (spot[0], spot[1], spot[2] - 1.2), turn)
