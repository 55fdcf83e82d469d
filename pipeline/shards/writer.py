"""Convert a dataset's archives into shards: every file planned first, samples then checked in processes."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from pipeline import counts, files
from pipeline.shards import schema
from pipeline.shards._check import LN, Checked
from pipeline.shards._rows import checked_rows, pool_of
from pipeline.shards.dataset import Source
from pipeline.types import DatasetSpec, Refusal, Sample

HELD = 6144  # rows in memory at most when an archive gives them in another order: 0.7 GB of VOC-sized photographs


@dataclass(frozen=True)
class _Planned:
    """A shard to be: its split, its place among the split's shards, its ids in row order, its rows as they come."""

    split: str
    file: str
    ids: tuple[str, ...]
    rows: dict[str, Checked] = field(default_factory=dict)


@dataclass(frozen=True)
class _Written:
    """A shard on disk and what the manifest will say of its rows."""

    shard: schema.Shard
    digests: tuple[bytes, ...]
    pixels: Mapping[str, tuple[int, ...]]
    moments: Mapping[str, tuple[int, ...]]


def convert(
    name: str,
    source: Source,
    raw: Path,
    out: Path,
    *,
    rows_per_shard: int,
    expect: Sequence[str] | None,
    processes: int,
) -> None:
    """Write ``out/<split>/part-*.parquet`` and ``manifest.json`` for every split of ``source``'s dataset, or nothing.

    Rows stand in the order of the split's list; the bytes do not depend on ``processes``. ``expect`` gives each
    split's number of rows (``["train=1464", …]``), checked before anything is written; None takes what there is.

    Raises Refusal for counts that differ, archives that are damaged, and samples that do not decode or fit.
    """
    dataset = source()
    splits = {split: dataset.ids(raw, split) for split in dataset.splits(raw)}
    if expect is not None:
        _check_counts(name, splits, counts.alternatives(f"datasets.{name}.expect", expect, tuple(splits)))
    plan = [shard for split, ids in splits.items() for shard in _plan(split, ids, rows_per_shard)]
    with files.replacing(out) as scratch, ExitStack() as stack:
        pool = stack.enter_context(pool_of(processes)) if processes > 1 else None
        bar = stack.enter_context(tqdm(total=sum(map(len, splits.values())), desc=name, unit="row", disable=None))
        written: dict[str, dict[str, _Written]] = {split: {} for split in splits}
        for wave in _waves(plan):
            slots = _slots(wave)
            parts = dataset.read(raw, tuple(slots))
            for shard in _filled(slots, checked_rows(name, source, parts, pool, ahead=2 * processes)):
                written[shard.split][shard.file] = _write(scratch, dataset.SPEC, shard)
                bar.update(len(shard.ids))
        for split, ids in splits.items():
            shards = [written[split][file] for file in sorted(written[split])]
            manifest = _manifest(dataset.SPEC, split, ids, shards)
            files.write_json(scratch / split / schema.MANIFEST, manifest.to_json())


def _check_counts(name: str, splits: Mapping[str, Sequence[str]], expected: Mapping[str, tuple[int, ...]]) -> None:
    for split, ids in splits.items():
        if len(ids) not in expected[split]:
            numbers = " or ".join(map(str, expected[split]))
            raise Refusal(
                f"{name}/{split} lists {len(ids)} ids, expected {numbers}: "
                f"fetch the archive again, or set datasets.{name}.expect to {split}={len(ids)}"
            )


def _plan(split: str, ids: Sequence[str], rows_per_shard: int) -> Iterator[_Planned]:
    sizes, rest = schema.shard_sizes(len(ids), rows_per_shard), iter(ids)
    for place, size in enumerate(sizes):
        yield _Planned(split, schema.shard_name(place, len(sizes)), tuple(islice(rest, size)))


def _waves(plan: Sequence[_Planned]) -> Iterator[list[_Planned]]:
    """Shards grouped so that a wave's rows fit into memory, however the archive orders them."""
    wave: list[_Planned] = []
    for shard in plan:
        if wave and sum(len(planned.ids) for planned in (*wave, shard)) > HELD:
            yield wave
            wave = []
        wave.append(shard)
    yield wave


def _slots(wave: Sequence[_Planned]) -> dict[str, list[_Planned]]:
    """The shards that wait for each id: an id may stand in several splits and is then read once."""
    slots: dict[str, list[_Planned]] = {}
    for shard in wave:
        for name in shard.ids:
            slots.setdefault(name, []).append(shard)
    return slots


def _filled(slots: dict[str, list[_Planned]], rows: Iterable[Checked]) -> Iterator[_Planned]:
    """Put rows where they belong; each shard as soon as it is whole."""
    for row in rows:
        for shard in slots.pop(row.sample.id):
            shard.rows[row.sample.id] = row
            if len(shard.rows) == len(shard.ids):
                yield shard
    assert not slots, f"read() left out {sorted(slots)}"


def _write(out: Path, spec: DatasetSpec, planned: _Planned) -> _Written:
    """Write one complete shard in row order; its rows then leave memory."""
    path = out / planned.split / planned.file
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [planned.rows.pop(name) for name in planned.ids]
    arrow = schema.arrow_schema(spec)
    with pq.ParquetWriter(
        path,
        arrow,
        compression="none",  # photographs and labels are compressed already
        use_dictionary=False,
        write_statistics=["id", "height", "width"],
    ) as writer:
        for start in range(0, len(rows), schema.ROW_GROUP):
            group = [_record(spec, row.sample) for row in rows[start : start + schema.ROW_GROUP]]
            writer.write_table(pa.Table.from_pylist(group, schema=arrow), row_group_size=schema.ROW_GROUP)
    pixels = {head: _sums(row.pixels[head] for row in rows) for head in spec.labels}
    moments = {column: _sums(row.moments[column] for row in rows) for column in spec.images}
    shard = schema.Shard(file=planned.file, rows=len(rows), bytes=path.stat().st_size, sha256=files.sha256(path))
    return _Written(shard, tuple(row.digest for row in rows), pixels, moments)


def _record(spec: DatasetSpec, sample: Sample) -> dict[str, Any]:
    encoded = {**{column: sample.images[column] for column in spec.images}, **sample.labels}
    columns = {column: {"bytes": file.bytes, "path": file.path} for column, file in encoded.items()}
    return {"id": sample.id, **columns, "height": sample.height, "width": sample.width}


def _manifest(spec: DatasetSpec, split: str, ids: Sequence[str], written: Sequence[_Written]) -> schema.Manifest:
    pixels = {
        head: dict(zip((*label.classes, "void"), _sums(shard.pixels[head] for shard in written), strict=True))
        for head, label in spec.labels.items()
    }
    return schema.Manifest(
        spec=spec,
        split=split,
        ids=tuple(ids),
        ids_sha256=hashlib.sha256("".join(f"{name}\n" for name in ids).encode()).hexdigest(),
        pixels=pixels,
        moments={
            column: _moment(spec.mode(column), _sums(shard.moments[column] for shard in written))
            for column in spec.images
        },
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


def _sums(counts: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*counts, strict=True)))
