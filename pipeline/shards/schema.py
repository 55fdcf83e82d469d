"""The shape of a shard folder: Parquet columns that Hugging Face decodes, and the manifest beside them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.core.types import DatasetSpec, Refusal

MANIFEST = "_manifest.json"  # what begins with _ is no part to Arrow, pandas and Spark, which read the folder
ROW_GROUP = 16  # rows; about 2 MB of photographs: one read serves them all, and no column nears Arrow's 2 GB


def arrow_schema(spec: DatasetSpec) -> pa.Schema:
    """``id``, one ``struct<bytes, path>`` per image and label column, ``height`` and ``width`` in pixels.

    The metadata names the encoded columns ``Image`` in Hugging Face's ``features`` notation, so ``datasets`` decodes
    them; the columns are sorted the way ``spec`` lists them.
    """
    encoded, number = pa.struct([("bytes", pa.binary()), ("path", pa.string())]), pa.int32()
    columns = dict.fromkeys(columns_of(spec), encoded)
    types = {"id": pa.string(), **columns, "height": number, "width": number}
    features = {
        name: {"_type": "Image"} if name in columns else {"dtype": str(kind), "_type": "Value"}
        for name, kind in types.items()
    }
    metadata: dict[bytes | str, bytes | str] = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema(list(types.items()), metadata=metadata)


def columns_of(spec: DatasetSpec) -> tuple[str, ...]:
    """The encoded columns of ``spec``: images, then label heads."""
    return (*spec.images, *spec.labels)


def shard_name(index: int, count: int) -> str:
    return f"part-{index:05d}-of-{count:05d}.parquet"


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One Parquet file: its name in the folder, rows, size in bytes and sha256."""

    file: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Per-channel mean and standard deviation over every pixel of a column, as nets see it: a depth as ln(mm)."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """All that is known of a split without opening a shard.

    ``ids`` stand in row order. ``pixels`` counts every label pixel: ``{head: {class: n, …, "void": n}}``; ``moments``
    are measured over each image column, to subtract where no published mean is wanted.
    ``digest`` covers ids and encoded bytes but not their Parquet packing; ``ids_sha256`` the ids, each with a newline.
    """

    spec: DatasetSpec
    split: str
    ids: tuple[str, ...]
    ids_sha256: str
    pixels: Mapping[str, Mapping[str, int]]
    moments: Mapping[str, Moments]
    shards: tuple[Shard, ...]
    digest: str

    @property
    def rows(self) -> int:
        return len(self.ids)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "rows": self.rows}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "Manifest":
        moments = {column: {name: tuple(both[name]) for name in both} for column, both in row["moments"].items()}
        return cls(
            spec=DatasetSpec.from_json(row["spec"]),
            split=row["split"],
            ids=tuple(row["ids"]),
            ids_sha256=row["ids_sha256"],
            pixels={head: dict(counts) for head, counts in row["pixels"].items()},
            moments={column: Moments(**both) for column, both in moments.items()},
            shards=tuple(Shard(**shard) for shard in row["shards"]),
            digest=row["digest"],
        )


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a split's folder; Refusal where there is none or it cannot be understood."""
    path = folder / MANIFEST
    try:
        return Manifest.from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise Refusal(f"{folder} is no finished split, for it has no {MANIFEST}: run its convert stage") from None
    except (ValueError, KeyError, TypeError) as error:
        raise Refusal(f"{path} is damaged ({error!r}): run its convert stage again") from None
