"""An outdoor photograph with its maps: a pure function of a seed, a name and a size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

from pipeline.miniature.shared._camera import photograph
from pipeline.miniature.shared._chance import generator
from pipeline.miniature.shared.outdoors import light, nature, roads, town
from pipeline.miniature.shared.outdoors.classes import CODE, FACING, HORIZONTAL, THING
from pipeline.miniature.shared.outdoors.stage import Stage, empty
from pipeline.miniature.shared.outdoors.view import View


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A photograph (S×S×3 uint8) and its S×S maps, as SIFT Flow codes them.

    ``semantic``: 0 unlabelled, 1–33 (uint8); ``geometric``: −1 void, 1 sky, 2 horizontal, 3 vertical (int8).
    """

    image: NDArray[np.uint8]
    semantic: NDArray[np.uint8]
    geometric: NDArray[np.int8]


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """Ranges to draw a camera from: the horizon's height and the focal length in image sides, the eye in metres."""

    paint: Callable[[Stage], None]
    horizon: tuple[float, float]
    eye: tuple[float, float]
    focal: tuple[float, float] = (0.9, 1.2)


_WIDE = np.isin(np.arange(THING + 1), [CODE[name] for name in (*HORIZONTAL, "building", "mountain", "sky", "tree")])
"""By code: classes that fill pictures, to which the gaps around what stands before them belong."""

KINDS = {
    "coast": _Kind(paint=nature.coast, horizon=(0.3, 0.6), eye=(2.4, 6.5)),
    "forest": _Kind(paint=nature.forest, horizon=(0.55, 0.75), eye=(1.5, 2.2)),
    "highway": _Kind(paint=roads.highway, horizon=(0.4, 0.62), eye=(2.0, 5.0)),
    "insidecity": _Kind(paint=town.insidecity, horizon=(0.5, 0.68), eye=(1.8, 4.2)),
    "mountain": _Kind(paint=nature.mountain, horizon=(0.6, 0.8), eye=(1.8, 4.0)),
    "opencountry": _Kind(paint=nature.opencountry, horizon=(0.35, 0.62), eye=(1.8, 3.5)),
    "street": _Kind(paint=roads.street, horizon=(0.48, 0.64), eye=(1.8, 3.8), focal=(0.75, 1.05)),
    "tallbuilding": _Kind(paint=town.tallbuilding, horizon=(0.78, 0.98), eye=(2.0, 6.0)),
}
"""The original's eight categories; a name begins with one."""


def render(seed: int, name: str, side: int, without: frozenset[str] = frozenset()) -> Scene:
    """The same arguments give the same pixels wherever they are rendered; ``without`` names classes not to show."""
    rng = generator(seed, "outdoors", name)
    kind = KINDS[name.split("_")[0]]
    view = View(
        side=side,
        horizon=float(rng.uniform(*kind.horizon)) * side,
        vanish=float(rng.uniform(0.36, 0.64)) * side,
        focal=float(rng.uniform(*kind.focal)) * side,
        eye=float(rng.uniform(*kind.eye)),
    )
    stage = empty(rng, view, light.draw(rng), without)
    kind.paint(stage)
    image = photograph(rng, light.graded(rng, stage.canvas))
    semantic, geometric = _annotated(stage)
    return Scene(image=image, semantic=semantic, geometric=geometric)


def _annotated(stage: Stage) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    """What annotators make of it: some outlines do not meet, and what has no class is void in one map or both."""
    codes, facing = stage.codes, FACING[stage.codes]
    reach = 3 if stage.view.side < 200 else 5
    column, row = stage.view.texels((slice(0, stage.view.side), slice(0, stage.view.side)))
    wander = stage.noise(stage.large, column * 3, row * 3)
    care = stage.between(-1.3, 1.1)
    semantic = np.where(_outline(codes, reach) & _WIDE[codes] & (wander > care) | (codes == THING), 0, codes)
    void = _outline(facing, reach) & _WIDE[codes] & (wander > care - 0.3)
    if stage.chance(0.5):
        void |= codes == THING
    return semantic.astype(np.uint8), np.where(void, np.int8(-1), facing)


def _outline(codes: NDArray[np.integer], reach: int) -> NDArray[np.bool_]:
    """Pixels with another code within a square of side ``reach`` (odd, pixels)."""
    return np.asarray(maximum_filter(codes, reach) != minimum_filter(codes, reach))
