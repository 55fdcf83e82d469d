"""What lies behind the objects: mottled ground, sometimes a horizon, and faint patches that belong to no class."""

from __future__ import annotations

import colorsys
import math
from functools import lru_cache

import numpy as np
import scipy.fft

from pipeline.miniature.shared._shapes import Field

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # brightness of red, green, blue (ITU-R BT.601)


def tint(rng: np.random.Generator, luma: float) -> Field:
    """A colour (3 float32, RGB 0–1) of any hue whose brightness is ``luma``; ground and objects share this palette."""
    color = np.array(colorsys.hsv_to_rgb(_hue(rng), 0.08 + 0.72 * rng.random() ** 1.5, 1.0), np.float32)
    color *= luma / float(color @ _LUMA)
    excess = float(color.max()) - 1
    if excess > 0:  # too bright for its hue: fade it until it fits, the brightness stays
        color += (luma - color) * (excess / (excess + 1 - luma))
    return color


def _hue(rng: np.random.Generator) -> float:
    """Half the time any hue, else one that photographs are full of: earth, foliage, sky."""
    if rng.random() < 0.5:
        return rng.random()
    return float(rng.choice((0.07, 0.11, 0.28, 0.58)) + rng.uniform(-0.04, 0.04))


def mottle(rng: np.random.Generator, height: int, width: int, roughness: float) -> tuple[Field, Field]:
    """Two independent H×W fields of 1/f^``roughness`` noise, mean 0, standard deviation 1."""
    shape = (height, width)
    wave = rng.standard_normal(shape, np.float32) + np.complex64(1j) * rng.standard_normal(shape, np.float32)
    noise = scipy.fft.fft2(wave * _falloff(height, width) ** np.float32(roughness))
    return noise.real / noise.real.std(), noise.imag / noise.imag.std()


@lru_cache(maxsize=64)
def _falloff(height: int, width: int) -> Field:
    """1/f on an FFT's grid in cycles per pixel, 0 for the mean."""
    frequency = np.hypot(scipy.fft.fftfreq(height)[:, None], scipy.fft.fftfreq(width)[None, :])
    frequency[0, 0] = np.inf
    return np.asarray(1 / frequency, np.float32)


def backdrop(rng: np.random.Generator, height: int, width: int) -> tuple[Field, Field]:
    """An H×W×3 float32 canvas, RGB 0–1, and the H×W noise that roughens it (standard deviation 1)."""
    grain, drift = mottle(rng, height, width, rng.uniform(1.2, 2.0))
    y = np.arange(height, dtype=np.float32)[:, None]
    x = np.arange(width, dtype=np.float32)[None, :]
    luma = rng.uniform(0.25, 0.65)
    canvas = _blend(tint(rng, luma), tint(rng, luma + rng.uniform(-0.15, 0.15)), (0.4 + 0.25 * drift).clip(0, 1))
    canvas += (rng.uniform(0.02, 0.07) * grain)[..., None]
    if rng.random() < 0.45:
        line = height * rng.uniform(0.25, 0.65) + (x - width / 2) * rng.uniform(-0.12, 0.12)
        sky = _blend(tint(rng, rng.uniform(0.5, 0.9)), tint(rng, rng.uniform(0.4, 0.8)), np.asarray(y / height))
        sky = sky + (rng.uniform(0, 0.05) * drift)[..., None]
        canvas += (line + 2.5 * grain - y).clip(0, 1)[..., None] * (sky - canvas)
    for _ in range(int(rng.integers(0, 4))):
        _patch(rng, canvas, y, x)
    return canvas, grain


def _blend(first: Field, second: Field, share: Field) -> Field:
    """Between two colours: ``share`` (H×W, 0–1) of the second."""
    return np.asarray(first + share[..., None] * (second - first), np.float32)


def _patch(rng: np.random.Generator, canvas: Field, y: Field, x: Field) -> None:
    """Lay a faint soft-edged blob on the canvas: flat, or woven of two long random waves."""
    height, width = canvas.shape[:2]
    a, b = (rng.uniform(0.06, 0.3) * min(height, width) for _ in range(2))
    turn = rng.uniform(0, math.pi)
    dx, dy = x - rng.uniform(0, width), y - rng.uniform(0, height)
    u, v = math.cos(turn) * dx + math.sin(turn) * dy, math.cos(turn) * dy - math.sin(turn) * dx
    edge = np.hypot(u / a, v / b) if rng.random() < 0.5 else np.maximum(np.abs(u) / a, np.abs(v) / b)
    cover = ((1 - edge) * (min(a, b) / rng.uniform(1, 3))).clip(0, 1) * rng.uniform(0.3, 0.8)
    tone = tint(rng, rng.uniform(0.2, 0.75)) - canvas
    if rng.random() < 0.6:
        p, q = (2 * math.pi / rng.uniform(8, 18) for _ in range(2))
        weave = np.sin(p * (u + 0.4 * v)) + np.sin(q * (v - 0.6 * u) + 1)
        tone += (rng.uniform(0.02, 0.06) * weave)[..., None]
    canvas += cover[..., None] * tone
