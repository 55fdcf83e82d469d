"""One RGB-D frame of a room: image, depth in-painted and raw, labels and instances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

from pipeline.miniature.shared._camera import photograph
from pipeline.miniature.shared._chance import generator
from pipeline.miniature.shared._shapes import Field
from pipeline.miniature.shared.rooms.cast_rays import Hits, cast
from pipeline.miniature.shared.rooms.kinect import measure
from pipeline.miniature.shared.rooms.light import light
from pipeline.miniature.shared.rooms.names import RAW_LABEL
from pipeline.miniature.shared.rooms.paint import paint
from pipeline.miniature.shared.rooms.room import Room, furnish
from pipeline.miniature.shared.rooms.solids import SHELL, Solids, solids
from pipeline.miniature.shared.rooms.surfaces import Surface, locate
from pipeline.miniature.shared.rooms.viewpoint import Rays, Viewpoint, rays


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What is known of a frame; all maps are H×W, W = 4/3 H.

    ``image`` H×W×3 uint8; ``depth`` (in-painted, nowhere 0) and ``raw_depth`` (0 = missing) float32 metres along the
    camera's axis; ``label`` uint16 raw labels 1–894 and ``instances`` uint8 from 1 within a label, both 0 where
    nothing is labelled.
    """

    scene_type: str
    view: Viewpoint
    image: NDArray[np.uint8]
    depth: Field
    raw_depth: Field
    label: NDArray[np.uint16]
    instances: NDArray[np.uint8]


def render(seed: int, number: int, side: int) -> Frame:
    """Frame ``number`` (1, 2, …), ``side`` pixels wide: the same arguments give the same pixels anywhere."""
    room = furnish(seed, number)
    built = solids(room.parts)
    beam = rays(room.view, side)
    hits = _shell(beam, cast(beam, built, SHELL), room.size[2])
    surface = locate(beam, hits, built)
    rng = generator(seed, "sensor", f"{number:06d}")
    length = np.sqrt(beam.x**2 + beam.y**2 + beam.z**2)
    along = zip(surface.normal, (beam.x, beam.y, beam.z), strict=True)
    slant = np.abs(sum(n * d.ravel() for n, d in along)).reshape(length.shape) / length
    footprint = hits.depth / np.float32(beam.focal[0]) / np.sqrt(np.maximum(slant, np.float32(0.15)))
    canvas = _expose(room, built, hits, surface, footprint.ravel())
    glassy = np.array([part.finish.glassy for part, _ in room.parts])[hits.solid]
    image = photograph(rng, canvas.reshape(*hits.solid.shape, 3))
    depth, raw_depth = measure(rng, hits.depth, slant, glassy)
    label, instances = _annotate(room, hits, max(1, round(side / 160)))
    return Frame(
        scene_type=room.scene_type,
        view=room.view,
        image=image,
        depth=depth,
        raw_depth=raw_depth,
        label=label,
        instances=instances,
    )


def _shell(beam: Rays, hits: Hits, ceiling: float) -> Hits:
    """Tell floor (0), ceiling (1) and walls (2) apart where the room's box was met."""
    height = np.float32(beam.origin[2]) + hits.depth * beam.z
    which = np.where(height < 1e-3, 0, np.where(height > ceiling - 1e-3, 1, 2)).astype(np.int16)
    return Hits(depth=hits.depth, solid=np.where(hits.solid == 0, which, hits.solid))


def _expose(room: Room, built: Solids, hits: Hits, surface: Surface, footprint: Field) -> Field:
    """Colours (N×3, RGB 0–1) in the room's light."""
    finishes = [part.finish for part, _ in room.parts]
    canvas, glow = paint(surface, hits, finishes, footprint)
    bright = light(surface, hits, built, room.size, room.lamp)
    canvas *= (bright + glow * (1 - bright))[:, None]
    return canvas


def _annotate(room: Room, hits: Hits, band: int) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Labels and instances; a band of ``band`` pixels on either side of what parts two objects stays unlabelled."""
    numbers = np.array(room.instances, np.uint8)
    labels = np.array([RAW_LABEL[part.name] for part, _ in room.parts], np.uint16) * (numbers > 0)
    label, instances = labels[hits.solid], numbers[hits.solid]
    thing = label.astype(np.int32) * 256 + instances
    reach = 2 * band + 1
    border = maximum_filter(thing, reach) != minimum_filter(thing, reach)
    label[border] = 0
    instances[border] = 0
    return label, instances
