"""Decoded samples a second from disk, shuffled, from a warm cache: python -m benchmarks.reading.

A sample is an image and its label as uint8. Peers decode by torchvision.io (deprecated since torchvision 0.29, but the
fastest they can use), but where their own decoding is the point: VOCSegmentation and datasets give what Pillow decodes.
"""

import io
import os
import random
import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from benchmarks import _formats, _photos, _rounds
from benchmarks._rounds import Case, Goal, Sides, Timed
from pipeline.core.types import Sample
from pipeline.shards.reader import Shards
from pipeline.training.feed import drawn, prefetch
from stages.shared.stage import Stage

CEILINGS = ("decoding alone, torchvision.io", "decoding alone, Pillow")
PILLOW = ("torchvision VOCSegmentation", "datasets")
WORDS = {1: "one thread", 2: "two threads or processes"}


def torch_decoded(jpeg: bytes, png: bytes) -> tuple[torch.Tensor, torch.Tensor]:
    """3×H×W and 1×H×W uint8."""
    from torchvision.io import decode_jpeg, decode_png

    image, label = (torch.frombuffer(bytearray(file), dtype=torch.uint8) for file in (jpeg, png))
    return decode_jpeg(image), decode_png(label)


def pillow_decoded(jpeg: bytes, png: bytes) -> tuple[Any, Any]:
    """H×W×3 and H×W uint8."""
    with Image.open(io.BytesIO(jpeg)) as image, Image.open(io.BytesIO(png)) as label:
        return np.array(image), np.array(label)


class Rows(Dataset[Any]):
    """Whatever is indexed by row, decoded by ``decode``, as DataLoader wants it."""

    def __init__(self, length: int, decode: Callable[[int], Any]) -> None:
        self.length, self.decode = length, decode

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, row: int) -> Any:
        return self.decode(row)


def loader(rows: Any, workers: int, shuffle: bool | None = True) -> DataLoader[Any]:
    """Two workers stay from round to round; with one, the process itself reads."""
    processes = 0 if workers == 1 else workers
    kept: dict[str, Any] = {"persistent_workers": True, "timeout": 60} if processes else {}
    return DataLoader(rows, batch_size=None, num_workers=processes, shuffle=shuffle, **kept)


def whole(count: int, epoch: Callable[[], Iterable[Any]]) -> Timed:
    """A call that goes through an epoch. Raises ValueError unless it gave every sample."""

    def call() -> None:
        given = sum(1 for _ in epoch())
        if given != count:
            raise ValueError(f"gave {given} samples of {count}")

    return call


def in_threads(count: int, workers: int, decode: Callable[[int], Any], order: Callable[[int], int]) -> Timed:
    """As training feeds itself: a thread decodes ahead, or with ``workers`` 1 none does."""
    threads = 0 if workers == 1 else workers
    return whole(count, lambda: prefetch(lambda draw: decode(order(draw)), range(count), threads))


def ceilings(held: Sequence[Sample], workers: int) -> Sides:
    """Decoders on bytes in memory, in a shuffled order."""
    files = [_photos.encoded(sample) for sample in held]
    random.Random(0).shuffle(files)

    def side(decode: Callable[[bytes, bytes], Any]) -> Timed:
        return in_threads(len(files), workers, lambda row: decode(*files[row]), int)

    return {name: partial(side, decode) for name, decode in zip(CEILINGS, (torch_decoded, pillow_decoded), strict=True)}


def peers(held: Sequence[Sample], folder: Path, workers: int) -> Sides:
    """Each writes its own format beside the others, the first time that it is asked."""
    from benchmarks import _readers

    return {name: partial(side, held, folder, workers) for name, side in _readers.PEERS.items()}


def ours(held: Sequence[Sample], raw: Path, folder: Path, workers: int) -> Sides:
    """The training's reader and its order of draws, all row groups kept, and with a cache that hardly ever helps."""
    count = len(held)

    def side(groups: int) -> Timed:
        out = folder / "shards"
        if not out.exists():
            _formats.shards(out, raw)
        shards = Shards(out / "train", groups=groups)
        return in_threads(count, workers, shards.__getitem__, lambda draw: drawn(0, draw, count))

    return {"ours": partial(side, 64), "ours, a row group read for each sample": partial(side, 1)}


def cases(held: Sequence[Sample], raw: Path, folder: Path) -> list[Case]:
    """In one thread, and in two."""
    found = []
    for workers, words in WORDS.items():
        others = peers(held, folder, workers)
        goals = [
            Goal(text="ours ≥ the fastest peer", ours="ours", peers=tuple(others), times=1),
            Goal(text="ours ≥ the fastest that decodes by Pillow too", ours="ours", peers=PILLOW, times=1),
            *(Goal(text=f"ours ≥ 0.8 × {name}", ours="ours", peers=(name,), times=0.8) for name in CEILINGS),
        ]
        both = {**ceilings(held, workers), **others}
        own = ours(held, raw, folder, workers)
        found.append(Case(title=words, peers=both, ours=own, unit="samples/s", amount=len(held), goals=goals))
    return found


@click.command(cls=Stage)
@_rounds.options(rounds=5)
@_photos.options(images=600)
def main(rounds: int, results: Path, images: int, real: Path | None) -> None:
    """Measure and write reading.json."""
    torch.set_num_threads(1)
    raw = _photos.archive(images, real)
    held = _photos.samples(raw)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HF_DATASETS_CACHE"] = os.environ["HF_HOME"] = folder
        name = "reading-real" if real else "reading"
        data = _photos.told(held, real)
        _rounds.run(name, cases(held, raw, Path(folder)), rounds=rounds, results=results, data=data)


if __name__ == "__main__":
    main()
