"""Convert a dataset's archives into shards: every file planned first, the manifests last."""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from tqdm import tqdm

from pipeline.convert import workers
from pipeline.convert.check import LN
from pipeline.convert.write_shard import Conversion, Planned, Source, Written, sums
from pipeline.core import fields, files
from pipeline.core.types import DatasetSpec, Refusal
from pipeline.shards import schema

ENGINES = ("pool", "ray")


def convert(
    name: str,
    source: Source,
    raw: Path,
    out: Path,
    *,
    rows_per_shard: int,
    expect: Sequence[str] | None,
    processes: int,
    engine: str = "pool",
) -> None:
    """Write ``out/<split>/part-*.parquet`` and ``_manifest.json`` for every split of ``source``'s dataset, or nothing.

    Rows stand in the order of the split's list; the bytes depend neither on ``engine``, ``pool`` (of ``processes``, on
    this machine) or ``ray`` (on a cluster), nor on how many take part. ``expect`` gives each split's number of rows
    (``["train=1464", …]``), checked before anything is written; None takes what there is.

    Raises Refusal for counts that differ, archives that are damaged, samples that do not decode or fit, and an engine
    that is unknown or not installed.
    """
    if engine not in ENGINES:
        raise Refusal(f"parquet.engine is {engine!r}: it is {' or '.join(ENGINES)}")
    dataset = source()
    splits = {split: dataset.ids(raw, split) for split in dataset.splits(raw)}
    if expect is not None:
        _check_counts(name, splits, fields.counts(f"datasets.{name}.expect", expect, tuple(splits), several=True))
    plan = [shard for split, ids in splits.items() for shard in _plan(split, ids, rows_per_shard)]
    with files.replacing(out) as scratch:
        conversion = Conversion(name, source, raw, scratch)
        by_ray = engine == "ray"
        shards = workers.by_ray(conversion, plan) if by_ray else workers.by_processes(conversion, plan, processes)
        done: dict[str, dict[str, Written]] = {split: {} for split in splits}
        with closing(shards), tqdm(total=sum(map(len, splits.values())), desc=name, unit="row", disable=None) as bar:
            for written in shards:
                done[written.split][written.shard.file] = written
                bar.update(written.shard.rows)
        for split, ids in splits.items():
            manifest = _manifest(dataset.SPEC, split, ids, [done[split][file] for file in sorted(done[split])])
            files.write_json(scratch / split / schema.MANIFEST, manifest.to_json())


def _check_counts(name: str, splits: Mapping[str, Sequence[str]], expected: Mapping[str, Sequence[int]]) -> None:
    for split, ids in splits.items():
        if len(ids) not in expected[split]:
            numbers = " or ".join(map(str, expected[split]))
            raise Refusal(
                f"{name}/{split} lists {len(ids)} ids, expected {numbers}: "
                f"fetch the archive again, or set datasets.{name}.expect to {split}={len(ids)}"
            )


def _plan(split: str, ids: Sequence[str], rows_per_shard: int) -> Iterator[Planned]:
    starts = range(0, len(ids), rows_per_shard)
    for place, start in enumerate(starts):
        yield Planned(split, schema.shard_name(place, len(starts)), tuple(ids[start : start + rows_per_shard]))


def _manifest(spec: DatasetSpec, split: str, ids: Sequence[str], written: Sequence[Written]) -> schema.Manifest:
    pixels = {head: sums(shard.pixels[head] for shard in written) for head in spec.labels}
    moments = {column: sums(shard.moments[column] for shard in written) for column in spec.images}
    return schema.Manifest(
        spec=spec,
        split=split,
        ids=tuple(ids),
        ids_sha256=hashlib.sha256("".join(f"{name}\n" for name in ids).encode()).hexdigest(),
        pixels={head: dict(zip((*spec.labels[head].classes, "void"), pixels[head], strict=True)) for head in pixels},
        moments={column: _moment(spec.mode(column), moments[column]) for column in moments},
        shards=tuple(shard.shard for shard in written),
        digest=hashlib.sha256(b"".join(digest for shard in written for digest in shard.digests)).hexdigest(),
    )


def _moment(mode: str, sums: tuple[int, ...]) -> schema.Moments:
    pixels, channels = sums[0], len(sums) // 2
    unit = LN if mode == "I;16" else 1
    mean = [total / (pixels * unit) for total in sums[1 : 1 + channels]]
    square = [total / (pixels * unit * unit) for total in sums[1 + channels :]]
    std = [math.sqrt(max(0.0, both - one * one)) for one, both in zip(mean, square, strict=True)]
    return schema.Moments(mean=tuple(mean), std=tuple(std))
