"""What a Kinect makes of true depth: disparity steps, noise that grows with distance, and what it cannot see."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter

from pipeline.miniature.shared._backdrop import mottle
from pipeline.miniature.shared._shapes import Field

_BASELINE = 0.075  # metres between projector and infrared camera (Khoshelham & Elberink, Sensors 2012)
_FOCAL = 580.0  # pixels of the infrared camera at 640×480
_STEP = 1 / 8  # pixels: a Kinect tells disparities apart down to this
_FARTHEST = 9.0  # metres
_GRAIN = np.float32(4096)  # in-painted depth is told down to 1/4096 m, which packs to 57 % of the bytes
_NOISE = 0.55  # standard deviation of disparity in steps, at 640×480


def measure(rng: np.random.Generator, depth: Field, slant: Field, glassy: NDArray[np.bool_]) -> tuple[Field, Field]:
    """In-painted and raw depth in metres (H×W float32) of a true ``depth`` map; raw is 0 where nothing came back.

    ``slant`` is the cosine between surface normal and ray, ``glassy`` marks what reflects or absorbs infrared. Small
    frames have less noise: their pixels average those of a 640×480 one. In-painting is ideal where surfaces go on and
    smears where they end: the true disparity, blurred in the holes.
    """
    scale = depth.shape[1] / 640
    reach = np.float32(_FOCAL * _BASELINE)
    disparity = reach / depth  # in pixels at 640×480
    noise = rng.standard_normal(depth.shape, np.float32) * np.float32(_NOISE * _STEP * scale)
    seen = disparity + noise
    missing = _missing(rng, depth, disparity * np.float32(scale), slant, glassy)
    raw = reach / (np.rint(seen / np.float32(_STEP)) * np.float32(_STEP))
    blurred = gaussian_filter(disparity, 8 * scale, mode="nearest", truncate=2.0)
    painted = reach / np.where(missing, blurred, seen)
    painted = np.rint(painted.clip(0.7, 10) * _GRAIN) / _GRAIN
    return painted.astype(np.float32), np.where(missing, np.float32(0), raw).astype(np.float32)


def _missing(
    rng: np.random.Generator, depth: Field, shift: Field, slant: Field, glassy: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Where nothing comes back; ``shift`` is the disparity in pixels of this frame."""
    height, width = depth.shape
    cloud, other = mottle(rng, height, width, 1.3)
    chance = rng.random(depth.shape, np.float32)
    missing = _shadow(shift) | (depth > _FARTHEST)
    missing |= glassy & (cloud > -0.4)
    missing |= (slant < 0.26) & (chance < 0.7)
    missing |= (other > 1.5) & (chance < 0.8)
    speck = max(1, round(width / 320))
    missing |= maximum_filter(chance < 0.015 / speck**2, speck)
    edge = max(2, round(width / 80))
    missing[:edge] = missing[-edge:] = True
    missing[:, :edge] = missing[:, -edge:] = True
    return missing


def _shadow(shift: Field) -> NDArray[np.bool_]:
    """Pixels that the projector, which stands to the right, cannot reach past what stands in front of them."""
    column = np.arange(shift.shape[1], dtype=np.float32)
    arrival = column - shift
    nearest = np.minimum.accumulate(arrival[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(arrival > nearest + np.float32(0.6))
