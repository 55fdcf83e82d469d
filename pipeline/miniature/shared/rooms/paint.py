"""What colour each surface is before any light falls on it: its texture, its border, the seams of doors and drawers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.miniature.shared._shapes import Field
from pipeline.miniature.shared.rooms.cast_rays import Hits
from pipeline.miniature.shared.rooms.finish import TEXTURES, Finish
from pipeline.miniature.shared.rooms.surfaces import Surface

_SEAM = 0.012  # metres, half the width of the gap between two drawers


def paint(surface: Surface, hits: Hits, finishes: Sequence[Finish], footprint: Field) -> tuple[Field, Field]:
    """Colours (N×3, RGB 0–1) without light, and the share of light each pixel gives off itself (N).

    ``footprint`` is what a pixel spans in metres: detail finer than that fades into its mean.
    """
    of = hits.solid.ravel()
    tone = _tones(surface, of, finishes, footprint)
    colors = np.array([finish.colors for finish in finishes], np.float32)
    canvas = colors[of, 0]
    canvas += tone[:, None] * (colors[:, 1] - colors[:, 0])[of]
    border = np.array([finish.border for finish in finishes], np.float32)[of]
    rim = np.array([finish.rim for finish in finishes], np.float32)[of]
    to_edge = np.minimum(surface.reach_u - np.abs(surface.u), surface.reach_v - np.abs(surface.v))
    cover = ((border - to_edge) / footprint + np.float32(0.5)).clip(0, 1) * (border > 0)
    canvas += cover[:, None] * (rim - canvas)
    canvas *= (1 - np.float32(0.45) * _seams(surface, of, finishes, footprint))[:, None]
    return canvas, np.array([finish.glow for finish in finishes], np.float32)[of]


def _tones(surface: Surface, of: NDArray[np.int16], finishes: Sequence[Finish], footprint: Field) -> Field:
    period = np.array([finish.period for finish in finishes], np.float32)[of]
    kind = np.array([finish.texture for finish in finishes], np.uint8)[of]
    wave = np.float32(2 * np.pi) / period
    u, v = surface.u * wave + of, surface.v * wave + of
    tone = np.full_like(u, 0.5)
    for texture in np.unique(kind).tolist():
        cover = TEXTURES[texture]
        if cover is not None:
            here = kind == texture
            tone[here] = cover(u[here], v[here])
    fade = (np.float32(1.5) - np.float32(3) * footprint / period).clip(0, 1)
    return np.asarray(np.float32(0.5) + fade * (tone - np.float32(0.5)), np.float32)


def _seams(surface: Surface, of: NDArray[np.int16], finishes: Sequence[Finish], footprint: Field) -> Field:
    """1 in the gaps between a face's doors and drawers."""
    shade = np.zeros_like(surface.u)
    for axis, place, reach in ((0, surface.u, surface.reach_u), (1, surface.v, surface.reach_v)):
        counts = np.array([finish.seams[axis] for finish in finishes], np.float32)[of]
        here = np.flatnonzero((counts > 1) & (np.abs(surface.normal[2]) < 0.5))
        if here.size:
            pitch = 2 * reach[here] / counts[here]
            cell = (place[here] + reach[here]) / pitch
            away = np.abs(cell - np.rint(cell)) * pitch
            inner = (np.rint(cell) > 0) & (np.rint(cell) < counts[here])
            line = (_SEAM / footprint[here]).clip(0, 1) * ((_SEAM + footprint[here] / 2 - away) > 0) * inner
            shade[here] = np.maximum(shade[here], line)
    return shade
