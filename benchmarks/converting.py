"""Writing encoded samples, not synced to disk: python -m benchmarks.converting.

Peers write bytes that lie in memory and believe them. Ours reads them out of VOC's tar; the whole conversion decodes
each sample to check it and to count its classes, and packing alone is what is left without that.
"""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import click

from benchmarks import _formats, _photos, _rounds
from benchmarks._rounds import Case, Goal, Sides, Timed
from pipeline.convert import check, write_shard
from pipeline.core.types import Sample
from pipeline.datasets import voc
from stages.shared.stage import Stage

PACKERS = {
    "webdataset": _formats.tars,
    "MDS": _formats.mds,
    "datasets, to_parquet": _formats.parquet,
    "litdata": _formats.chunks,
}
PACKING = "ours, packing alone"


def afresh(out: Path, write: Callable[[Path], object]) -> Timed:
    """A call that writes ``out`` anew; the one before is removed within it, as cheaply for all."""

    def call() -> None:
        shutil.rmtree(out, ignore_errors=True)
        write(out)

    return call


def packed(out: Path, held: Sequence[Sample], raw: Path) -> Timed:
    """A call that writes what was checked beforehand: Parquet and the digests that the manifest needs."""
    rows = [check.checked(voc.SPEC, sample) for sample in held]
    conversion = write_shard.Conversion("voc", _photos.photos, raw, out)
    names = [sample.id for sample in held]

    def write(_: Path) -> None:
        plan = [
            write_shard.Planned("train", f"part-{start}.parquet", tuple(names[start : start + _formats.SHARD]))
            for start in range(0, len(names), _formats.SHARD)
        ]
        written = list(write_shard.write_shards(conversion, plan, lambda *_: iter(rows)))
        if sum(each.shard.rows for each in written) != len(names):
            raise ValueError("left samples out")

    return afresh(out, write)


def copied(source: Path, out: Path) -> Timed:
    """A call that copies a file into a folder, or a folder of files."""
    if source.is_dir():
        return afresh(out, partial(shutil.copytree, source))

    def copy(folder: Path) -> None:
        folder.mkdir()
        shutil.copy(source, folder)

    return afresh(out, copy)


def weighed(folder: Path) -> str:
    """What all its files come to."""
    return f"{sum(path.stat().st_size for path in folder.rglob('*') if path.is_file()) / 1e6:.1f} MB"


def cases(held: Sequence[Sample], raw: Path, folder: Path) -> list[Case]:
    """One: MB of JPEG and PNG a second."""
    files = folder / "files"
    _formats.tree(files, held)
    peers: Sides = {
        "cp of one file": partial(copied, raw / _photos.TAR, folder / "one"),
        "cp of the files": partial(copied, files, folder / "many"),
        **{name: partial(afresh, folder / name, partial(write, held=held)) for name, write in PACKERS.items()},
    }
    ours: Sides = {
        PACKING: partial(packed, folder / "packed", held, raw),
        "ours, convert": partial(afresh, folder / "whole", partial(_formats.shards, raw=raw)),
        "ours, convert, two processes": partial(afresh, folder / "two", partial(_formats.shards, raw=raw, processes=2)),
    }
    places = zip([*peers, *ours], ("one", "many", *PACKERS, "packed", "whole", "two"), strict=True)
    payload = sum(len(file) for sample in held for file in _photos.encoded(sample)) / 1e6
    return [
        Case(
            title="written",
            peers=peers,
            ours=ours,
            unit="MB/s",
            amount=payload,
            goals=[Goal(text="packing ≥ the fastest peer's writer", ours=PACKING, peers=tuple(PACKERS), times=1)],
            notes={name: partial(weighed, folder / place) for name, place in places},
        )
    ]


@click.command(cls=Stage)
@_rounds.options(rounds=5)
@_photos.options(images=600)
def main(rounds: int, results: Path, images: int, real: Path | None) -> None:
    """Measure and write converting.json."""
    raw = _photos.archive(images, real)
    held = _photos.samples(raw)
    with tempfile.TemporaryDirectory() as folder:
        name = "converting-real" if real else "converting"
        _rounds.run(name, cases(held, raw, Path(folder)), rounds=rounds, results=results, data=_photos.told(held, real))


if __name__ == "__main__":
    main()
