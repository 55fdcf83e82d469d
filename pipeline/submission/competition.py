"""Which of PASCAL's competitions a recipe's net may enter."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

COMP5, COMP6 = "comp5", "comp6"  # nets that saw only VOC's own labels, and all others


def competition_of(recipes: Mapping[str, Any], recipe: str | None) -> tuple[str, str]:
    """comp5 where all of the weights come from VOC's own labels, else comp6; and why.

    Weights of ImageNet and labels of SBD are other data (VOC2012 devkit, section 5.2), so of a ladder each rung counts,
    down to the net that it began from. A net without ``recipe`` is comp6, which only VOC's test images are kept from.
    """
    init = ""
    while recipe and recipe in recipes:
        row = recipes[recipe]
        read = f"{row['data']['shards']}/{row['data']['split']}"
        if row["data"]["shards"] != "voc":
            return COMP6, f"{recipe} trains on {read}"
        if row["net"].get("start") == "random":
            return COMP5, f"{recipe} begins at random and trains on {read}"
        init = f"{recipe} begins from {row['net']['init']}"
        place = PurePosixPath(row["net"]["init"]).parts
        recipe = place[1] if place[0] == "runs" else None
    return COMP6, init or "its training is not known"
