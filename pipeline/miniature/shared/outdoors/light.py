"""The hour and the weather: colours of sky, air and sunlight, and how the film renders them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.miniature.shared._shapes import Field

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # brightness of red, green, blue (ITU-R BT.601)
# zenith, haze at the horizon, sunlight on what it meets
_HOURS = {
    "day": ((0.20, 0.42, 0.78), (0.76, 0.86, 0.95), (1.0, 0.98, 0.93)),
    "overcast": ((0.56, 0.60, 0.65), (0.80, 0.82, 0.84), (0.80, 0.82, 0.85)),
    "dusk": ((0.22, 0.26, 0.50), (0.97, 0.64, 0.38), (0.88, 0.64, 0.50)),
    "night": ((0.02, 0.04, 0.13), (0.13, 0.17, 0.30), (0.34, 0.39, 0.54)),
}


@dataclass(frozen=True, kw_only=True)
class Light:
    """``zenith``, ``haze``, ``sun``: RGB 0–1 (3 float32); ``sight`` metres until air hides two thirds of a thing."""

    hour: str
    zenith: Field
    haze: Field
    sun: Field
    clouds: float
    sight: float


def draw(rng: np.random.Generator) -> Light:
    """Mostly day; each hour varies."""
    hour = str(rng.choice(list(_HOURS), p=(0.53, 0.22, 0.19, 0.06)))
    zenith, haze, sun = (np.array(color, np.float32) for color in _HOURS[hour])
    jitter = np.exp(0.08 * rng.standard_normal((3, 3), np.float32))
    return Light(
        hour=hour,
        zenith=np.minimum(zenith * jitter[0], 1),
        haze=np.minimum(haze * jitter[1], 1),
        sun=sun * jitter[2] ** 0.5,
        clouds=float(rng.uniform(-1.2, 1.4)),
        sight=float(np.exp(rng.uniform(np.log(120), np.log(900)))),
    )


def graded(rng: np.random.Generator, canvas: Field) -> Field:
    """The canvas as a film renders it: more or less colour, a cast, more or less contrast (H×W×3, RGB about 0–1)."""
    grey = (canvas @ _LUMA)[..., None]
    saturation = rng.triangular(0.45, 1.0, 1.25)
    cast = np.exp(0.05 * rng.standard_normal(3, np.float32))
    contrast = rng.uniform(0.85, 1.15)
    return np.asarray((0.45 + contrast * (grey + saturation * (canvas - grey) - 0.45)) * cast, np.float32)
