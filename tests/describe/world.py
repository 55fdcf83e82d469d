"""A dataset of plain colours to describe: photographs, depth and a label, each split's ids as the test says."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.convert import writer
from pipeline.core.types import DatasetSpec, Encoded, LabelSpec, Sample

LABEL = LabelSpec(classes=("sky", "sea", "boat"), palette=((90, 160, 250), (20, 60, 140), (200, 40, 40)))


def png(pixels: np.ndarray) -> Encoded:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return Encoded(bytes=file.getvalue(), path="x.png")


@dataclass(frozen=True)
class Coast:
    """``lists`` maps each split to ids such as "a7": the digit is the shade, so "a7" and "b7" are one photograph.

    Images are 8 rows of 10 + shade: half sky, a quarter sea, the rest void; depth is 1000 + shade.
    """

    lists: Mapping[str, tuple[str, ...]]
    SPEC = DatasetSpec(
        name="coast",
        images=("color", "depth"),
        labels={"semantic": LABEL},
        modes={"depth": "I;16"},
    )

    def splits(self, raw: Path) -> tuple[str, ...]:
        return tuple(self.lists)

    def ids(self, raw: Path, split: str) -> list[str]:
        return list(self.lists[split])

    def read(self, raw: Path, wanted: Iterable[str]) -> Iterator[tuple[str, int]]:
        yield from ((name, int(name[-1])) for name in wanted)

    def sample(self, name: str, shade: int) -> Sample:
        height, width = 8, 10 + shade
        label = np.zeros((height, width), np.uint8)
        label[4:6], label[6:] = 1, 255
        color = np.full((height, width, 3), (10 * shade, 50, 255), np.uint8)
        depth = np.full((height, width), 1000 + shade, np.uint16)
        images = {"color": png(color), "depth": png(depth)}
        return Sample(id=name, height=height, width=width, images=images, labels={"semantic": png(label)})


def shards(out: Path, **lists: tuple[str, ...]) -> Path:
    """Convert a ``Coast``; returns its folder, one split a folder."""
    coast = Coast(lists)
    writer.convert("coast", lambda: coast, Path(), out, rows_per_shard=3, expect=None, processes=1)
    return out
