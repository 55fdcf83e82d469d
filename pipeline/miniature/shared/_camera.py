"""What a camera adds: light that falls off, a soft lens, sensor noise, and JPEG."""

from __future__ import annotations

import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter1d

from pipeline.miniature.shared._shapes import Field


def photograph(rng: np.random.Generator, canvas: Field) -> NDArray[np.uint8]:
    """Expose an H×W×3 float32 canvas (RGB 0–1) to an H×W×3 uint8 image."""
    height, width = canvas.shape[:2]
    turn = rng.uniform(0, 2 * math.pi)
    x = np.linspace(-math.cos(turn), math.cos(turn), width, dtype=np.float32)[None, :]
    y = np.linspace(-math.sin(turn), math.sin(turn), height, dtype=np.float32)[:, None]
    light = rng.uniform(0.85, 1.1) * (1 + rng.uniform(0.0, 0.25) * (x + y))
    exposed = canvas * light[..., None].astype(np.float32)
    blur = rng.uniform(0.0, 0.55)
    if blur > 0.25:  # a narrower kernel changes nothing that 8 bits can show
        for axis in (0, 1):
            exposed = gaussian_filter1d(exposed, blur, axis=axis, mode="nearest", truncate=2.5)
    noise = rng.standard_normal(canvas.shape, np.float32) * rng.uniform(0.006, 0.02)
    return ((exposed + noise) * 255).clip(0, 255).astype(np.uint8)


def jpeg(image: NDArray[np.uint8]) -> bytes:
    """An H×W×3 uint8 image as a baseline JPEG of quality 92."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=92)
    return file.getvalue()
