"""A miniature of a user's own data: photographs of leaves on soil in one folder, colour-coded labels in another."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from pipeline.core import files
from pipeline.miniature.shared._camera import jpeg
from pipeline.miniature.shared.litter.scene import scene

COUNTS = ("images",)


def render(out: Path, *, seed: int, side: int, images: int) -> None:
    """Write ``out/images/leaves_0000.jpg`` … and ``out/labels/leaves_0000.png``, RGB in SOIL, LEAF and EDGE.

    Every image has ``side`` pixels on one edge and three quarters of that or more on the other. An image depends on
    the seed, the side and its number alone, so a world of more images holds the smaller one.
    """
    with files.replacing(out / "images") as photographs, files.replacing(out / "labels") as labels:
        photographs.mkdir()
        labels.mkdir()
        for number in tqdm(range(images), desc="miniature leaves", unit="image", disable=None):
            name = f"leaves_{number:04d}"
            image, label = scene(seed, name, side)
            (photographs / f"{name}.jpg").write_bytes(jpeg(image))
            (labels / f"{name}.png").write_bytes(_png(label))


def _png(label: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(label).save(file, "PNG")
    return file.getvalue()
