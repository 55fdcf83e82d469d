"""What each type of room holds: its size, its pieces in the order in which they find places, how likely each is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.miniature.shared.rooms import fittings, furniture, props, storage
from pipeline.miniature.shared.rooms.finish import Decor
from pipeline.miniature.shared.rooms.solids import Piece

Builder = Callable[[np.random.Generator, Decor], Piece]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """``side`` bounds a room's width and depth in metres; ``pieces`` are names and probabilities, repeated at will."""

    side: tuple[float, float]
    pieces: tuple[tuple[str, float], ...]


ON_WALLS: Mapping[str, Builder] = {
    "bathtub": props.bathtub,
    "bed": furniture.bed,
    "blinds": fittings.blinds,
    "bookshelf": storage.bookshelf,
    "cabinet": storage.cabinet,
    "clothes": fittings.clothes,
    "column": fittings.column,
    "curtain": fittings.curtain,
    "curtained window": fittings.curtained_window,
    "desk": furniture.desk,
    "door": fittings.door,
    "dresser": storage.dresser,
    "fireplace": fittings.fireplace,
    "heater": fittings.heater,
    "kitchen run": storage.kitchen_run,
    "mirror": fittings.mirror,
    "night stand": storage.night_stand,
    "paper": fittings.paper,
    "piano": furniture.piano,
    "picture": fittings.picture,
    "refridgerator": storage.refridgerator,
    "shelves": storage.shelves,
    "shower": props.shower,
    "sofa": furniture.sofa,
    "television": fittings.television,
    "toilet": props.toilet,
    "towel": fittings.towel,
    "tv stand": storage.tv_stand,
    "vanity": storage.vanity,
    "wall cabinet": storage.wall_cabinet,
    "whiteboard": fittings.whiteboard,
    "window": fittings.window,
}
ON_FLOORS: Mapping[str, Builder] = {
    "bag": props.bag,
    "bin or plant": props.bin_or_plant,
    "box": props.cardboard,
    "chair": furniture.chair,
    "coffee table": furniture.coffee_table,
    "counter": storage.counter,
    "floor lamp": props.floor_lamp,
    "floor mat": fittings.floor_mat,
    "ottoman": furniture.ottoman,
    "person": props.person,
    "table": furniture.table,
}

PLANS: Mapping[str, Plan] = {
    "kitchen": Plan(
        side=(3.0, 4.4),
        pieces=(
            *(
                ("floor mat", 0.15),
                ("kitchen run", 0.95),
                ("refridgerator", 0.8),
                ("door", 0.3),
                ("window", 0.3),
                ("blinds", 0.25),
            ),
            *(("wall cabinet", 0.7), ("wall cabinet", 0.5), ("cabinet", 0.5), ("shelves", 0.2), ("towel", 0.45)),
            *(("picture", 0.45), ("paper", 0.35), ("table", 0.5), ("counter", 0.5), ("chair", 0.3), ("box", 0.2)),
            *(("bag", 0.15), ("bin or plant", 0.35), ("person", 0.12), ("heater", 0.15)),
        ),
    ),
    "bedroom": Plan(
        side=(3.5, 4.8),
        pieces=(
            *(("floor mat", 0.25), ("bed", 0.98), ("dresser", 0.75), ("curtained window", 0.35), ("door", 0.2)),
            *(("night stand", 0.7),),
            *(("blinds", 0.2), ("cabinet", 0.45), ("night stand", 0.5), ("desk", 0.3), ("mirror", 0.4)),
            *(("clothes", 0.4), ("picture", 0.6), ("picture", 0.4), ("bookshelf", 0.2), ("television", 0.2)),
            *(("bag", 0.3), ("box", 0.25), ("floor lamp", 0.3), ("chair", 0.25), ("ottoman", 0.15)),
            *(("person", 0.1), ("heater", 0.15)),
        ),
    ),
    "bathroom": Plan(
        side=(3.2, 4.2),
        pieces=(
            *(("floor mat", 0.4), ("bathtub", 0.75), ("toilet", 0.8), ("vanity", 0.8), ("shower", 0.3), ("door", 0.2)),
            *(("mirror", 0.75), ("window", 0.2), ("towel", 0.7), ("cabinet", 0.35), ("wall cabinet", 0.3)),
            *(("towel", 0.5), ("clothes", 0.25), ("picture", 0.2), ("bin or plant", 0.3), ("person", 0.08)),
            *(("box", 0.1), ("heater", 0.2)),
        ),
    ),
    "living_room": Plan(
        side=(3.4, 5.6),
        pieces=(
            *(
                ("floor mat", 0.35),
                ("sofa", 0.98),
                ("curtained window", 0.4),
                ("tv stand", 0.45),
                ("fireplace", 0.25),
                ("piano", 0.2),
            ),
            *(("bookshelf", 0.35), ("sofa", 0.6), ("cabinet", 0.4), ("door", 0.3), ("curtain", 0.2)),
            *(("window", 0.2), ("shelves", 0.25), ("picture", 0.6), ("picture", 0.5), ("television", 0.2)),
            *(("column", 0.15), ("heater", 0.2), ("mirror", 0.15), ("coffee table", 0.65), ("ottoman", 0.35)),
            *(("floor lamp", 0.4), ("bin or plant", 0.4), ("chair", 0.3), ("person", 0.15), ("bag", 0.15)),
            *(("box", 0.15),),
        ),
    ),
    "office": Plan(
        side=(3.0, 4.6),
        pieces=(
            *(("desk", 0.95), ("bookshelf", 0.5), ("cabinet", 0.5), ("whiteboard", 0.5), ("blinds", 0.35)),
            *(("desk", 0.4), ("door", 0.35), ("window", 0.25), ("shelves", 0.35), ("paper", 0.45)),
            *(("column", 0.15), ("heater", 0.2), ("picture", 0.25), ("clothes", 0.2), ("chair", 0.5)),
            *(("box", 0.45), ("bag", 0.35), ("bin or plant", 0.4), ("person", 0.2), ("table", 0.2)),
            *(("floor lamp", 0.15), ("paper", 0.3)),
        ),
    ),
    "classroom": Plan(
        side=(4.2, 6.0),
        pieces=(
            *(("whiteboard", 0.8), ("blinds", 0.4), ("door", 0.35), ("cabinet", 0.45), ("bookshelf", 0.25)),
            *(("desk", 0.3), ("window", 0.3), ("column", 0.3), ("heater", 0.3), ("shelves", 0.25)),
            *(("television", 0.3), ("paper", 0.5), ("picture", 0.2), ("table", 0.9), ("table", 0.7)),
            *(("person", 0.35), ("bag", 0.45), ("box", 0.2), ("bin or plant", 0.3), ("chair", 0.5)),
        ),
    ),
}


def subject(number: int) -> tuple[str, str]:
    """The type of room that frame ``number`` (1, 2, …) shows, and the thing it looks at: each in turn."""
    turn, place = divmod(number, len(PLANS))
    scene_type, plan = tuple(PLANS.items())[place]
    things = tuple(dict.fromkeys(thing for thing, _ in plan.pieces))
    return scene_type, things[turn % len(things)]
