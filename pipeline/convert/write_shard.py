"""Write some shards of a conversion: read what they hold, check it, and keep each shard as soon as it is whole."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.convert.check import Checked, checked
from pipeline.core import files, plugins
from pipeline.core.types import DatasetSpec, Refusal, Sample
from pipeline.shards import schema


class Dataset(Protocol):
    """What a file in ``pipeline/datasets`` offers.

    ``read`` yields each wanted id once with its raw bytes, or where they lie, in the order that is cheapest for the
    archive; it runs in the parent. ``sample`` encodes one; it runs in the workers, so it must be a pure function of its
    arguments.
    """

    @property
    def SPEC(self) -> DatasetSpec: ...  # noqa: N802 (a constant, where the dataset is a module)
    def splits(self, raw: Path) -> tuple[str, ...]: ...
    def ids(self, raw: Path, split: str) -> list[str]: ...
    def read(self, raw: Path, wanted: Iterable[str]) -> Iterator[tuple[str, Any]]: ...
    def sample(self, name: str, parts: Any) -> Sample: ...


Source = Callable[[], Dataset]
"""Gives the dataset in any process: it is pickled for the workers, which a module cannot be."""


def plugin(name: str) -> Dataset:
    """``pipeline/datasets/<name>.py``; ``partial(plugin, "voc")`` is VOC's ``Source``."""
    return cast(Dataset, plugins.load("datasets", name))


WAVE = 6144  # rows in memory at most when an archive gives them in another order: 0.7 GB of VOC-sized photographs


@dataclass(frozen=True)
class Conversion:
    """What is converted, from which folder into which; pickles, so that any process can take part."""

    name: str
    source: Source
    raw: Path
    out: Path


@dataclass(frozen=True)
class Planned:
    """A shard to be: its split, its place among the split's shards, its ids in row order, its rows as they come."""

    split: str
    file: str
    ids: tuple[str, ...]
    rows: dict[str, Checked] = field(default_factory=dict)


@dataclass(frozen=True)
class Written:
    """A shard on disk and what the manifest will say of its rows."""

    split: str
    shard: schema.Shard
    digests: tuple[bytes, ...]
    pixels: Mapping[str, tuple[int, ...]]
    moments: Mapping[str, tuple[int, ...]]


Rows = Callable[[Conversion, Iterator[tuple[str, Any]]], Iterator[Checked]]
"""Encodes and checks what ``Dataset.read`` yields, in its order."""


def in_turn(conversion: Conversion, parts: Iterable[tuple[str, Any]]) -> Iterator[Checked]:
    """``Rows`` in this process. Raises Refusal, which names the dataset, for a sample that breaks its spec."""
    dataset = conversion.source()
    spec = dataset.SPEC
    for name, encoded in parts:
        try:
            row = checked(spec, dataset.sample(name, encoded))
        except Refusal as refusal:
            raise Refusal(f"{conversion.name}: {refusal}") from None
        yield row


def waves(plan: Sequence[Planned]) -> Iterator[list[Planned]]:
    """Shards in their order, grouped so that a wave's rows fit into memory, however the archive orders them."""
    wave: list[Planned] = []
    for shard in plan:
        if wave and sum(len(planned.ids) for planned in (*wave, shard)) > WAVE:
            yield wave
            wave = []
        wave.append(shard)
    yield wave


def write_shards(conversion: Conversion, plan: Sequence[Planned], rows: Rows = in_turn) -> Iterator[Written]:
    """Write ``plan``'s shards in one pass over the archive, in whatever order it completes them.

    A pure function of the archive and the plan: it may run in any process that reaches both folders. Memory holds the
    rows of shards that are not whole yet, at most all of ``plan``'s.
    """
    dataset = conversion.source()
    slots: dict[str, list[Planned]] = {}  # an id may stand in several splits and is then read once
    for shard in plan:
        for name in shard.ids:
            slots.setdefault(name, []).append(shard)
    for row in rows(conversion, dataset.read(conversion.raw, tuple(slots))):
        for shard in slots.pop(row.sample.id):
            shard.rows[row.sample.id] = row
            if len(shard.rows) == len(shard.ids):
                yield _write(conversion.out, dataset.SPEC, shard)
    assert not slots, f"read() left out {sorted(slots)}"


def _write(out: Path, spec: DatasetSpec, planned: Planned) -> Written:
    """Write one complete shard in row order; its rows then leave memory."""
    path = out / planned.split / planned.file
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [planned.rows.pop(name) for name in planned.ids]
    arrow = schema.arrow_schema(spec)
    statistics = ["id", "height", "width"]
    # photographs and labels are compressed already
    with pq.ParquetWriter(path, arrow, compression="none", use_dictionary=False, write_statistics=statistics) as writer:
        for start in range(0, len(rows), schema.ROW_GROUP):
            group = [_record(spec, row.sample) for row in rows[start : start + schema.ROW_GROUP]]
            writer.write_table(pa.Table.from_pylist(group, schema=arrow), row_group_size=schema.ROW_GROUP)
    return Written(
        split=planned.split,
        shard=schema.Shard(file=planned.file, rows=len(rows), bytes=path.stat().st_size, sha256=files.sha256(path)),
        digests=tuple(row.digest for row in rows),
        pixels={head: sums(row.pixels[head] for row in rows) for head in spec.labels},
        moments={column: sums(row.moments[column] for row in rows) for column in spec.images},
    )


def _record(spec: DatasetSpec, sample: Sample) -> dict[str, Any]:
    encoded = {**sample.images, **sample.labels}
    columns = {column: vars(encoded[column]) for column in schema.columns_of(spec)}
    return {"id": sample.id, **columns, "height": sample.height, "width": sample.width}


def sums(counts: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    """Tuples added up place by place."""
    return tuple(map(sum, zip(*counts, strict=True)))
