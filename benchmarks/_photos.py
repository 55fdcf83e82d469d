"""The photographs that benchmarks read and write: a VOC tar of so many of them, rendered, or from real archives."""

import tempfile
from collections.abc import Callable, Iterator
from itertools import chain, cycle, islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click

from pipeline.core.types import Sample
from pipeline.datasets import sbd, voc
from pipeline.miniature import voc as miniature
from pipeline.miniature.shared import archive as archives

KEPT = Path(__file__).parents[1] / ".bench"
SIDE = 500  # pixels on the long edge, as VOC's
DISTINCT = 150  # scenes to render, 0.17 s each; they then repeat, each time a file of its own
TAR, ROOT = "VOCtrainval_11-May-2012.tar", "VOCdevkit/VOC2012"


def options(images: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """How many, and from where."""
    folder = click.Path(path_type=Path, exists=True, file_okay=False)
    told = "A folder with VOC's tar and SBD's tgz to take photographs from; else they are rendered."
    many = click.option("--images", type=click.IntRange(min=2), default=images, show_default=True)
    of = click.option("--real", type=folder, help=told)
    return lambda command: many(of(command))


def photos() -> Any:
    """A ``Dataset`` of one split, train, out of the VOC tar that ``archive`` made; this function is its ``Source``."""
    facts = {"SPEC": voc.SPEC, "ids": voc.ids, "read": voc.read, "sample": voc.sample}
    return SimpleNamespace(splits=lambda raw: ("train",), **facts)


def archive(count: int, real: Path | None) -> Path:
    """A folder with a VOC tar of ``count`` photographs and labels; made once, in less than a minute.

    ``real`` holds VOC's tar and SBD's tgz; without it scenes of the miniature are rendered at VOC's size. Whichever,
    they repeat until there are enough. Raises Refusal where ``real`` lacks them.
    """
    out = KEPT / f"{'real' if real else 'rendered'}-{count}"
    if not (out / TAR).exists():
        distinct = list(islice(_real(real) if real else _rendered(min(count, DISTINCT)), count))
        names = [f"2011_{number:06d}" for number in range(count)]
        archives.write_tar(out / TAR, _members(names, distinct))
    return out


def samples(raw: Path) -> list[Sample]:
    """All of them, still encoded, in memory."""
    return [voc.sample(name, parts) for name, parts in voc.read(raw, voc.ids(raw, "train"))]


def told(held: list[Sample], real: Path | None) -> str:
    """What they are, in a line."""
    distinct = len({sample.images["color"].bytes for sample in held})
    jpeg, png = (sum(len(file) for file in of) / len(held) / 1e3 for of in zip(*map(encoded, held), strict=True))
    kind = "real VOC and SBD photographs" if real else "rendered scenes"
    return f"{len(held)} {kind} of {SIDE} pixels, {distinct} distinct, JPEG {jpeg:.0f} kB and PNG {png:.1f} kB each"


def encoded(sample: Sample) -> tuple[bytes, bytes]:
    """A sample's JPEG and PNG."""
    return sample.images["color"].bytes, sample.labels["semantic"].bytes


def _rendered(count: int) -> list[Sample]:
    with tempfile.TemporaryDirectory() as raw:
        miniature.render(Path(raw), seed=7, side=SIDE, train=count, val=0, held_out=0)
        return samples(Path(raw))


def _real(real: Path) -> Iterator[Sample]:
    """VOC's, then those that SBD has beyond; each photograph once."""
    seen: set[str] = set()
    for dataset in (voc, sbd):
        names = chain.from_iterable(dataset.ids(real, split) for split in dataset.splits(real))
        wanted = [name for name in dict.fromkeys(names) if name not in seen]
        seen.update(wanted)
        for name, parts in dataset.read(real, wanted):
            yield dataset.sample(name, parts)


def _members(names: list[str], distinct: list[Sample]) -> Iterator[archives.Member]:
    yield f"{ROOT}/ImageSets/Segmentation/train.txt", archives.lines(names)
    for name, sample in zip(names, cycle(distinct), strict=False):
        jpeg, png = encoded(sample)
        yield f"{ROOT}/JPEGImages/{name}.jpg", jpeg
        yield f"{ROOT}/SegmentationClass/{name}.png", png
