"""A split of shards as a conversion leaves it, written from rows that a test makes up."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from pipeline.core import files
from pipeline.core.types import DatasetSpec
from pipeline.shards.schema import MANIFEST, Manifest, Moments, Shard, arrow_schema, shard_name


def encoded(pixels: np.ndarray) -> dict[str, object]:
    """``pixels`` as a PNG in the column of a row."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return {"bytes": file.getvalue(), "path": "x.png"}


def written(
    folder: Path,
    spec: DatasetSpec,
    rows: Sequence[Mapping[str, Any]],
    *,
    split: str = "val",
    ids_sha256: str = "",
    moments: Mapping[str, Moments] | None = None,
    pixels: Mapping[str, Mapping[str, int]] | None = None,
) -> Path:
    """``folder``, now with one shard of ``rows`` and its manifest."""
    folder.mkdir(parents=True)
    path = folder / shard_name(0, 1)
    pq.write_table(pa.Table.from_pylist(list(rows), schema=arrow_schema(spec)), path, row_group_size=16)
    manifest = Manifest(
        spec=spec,
        split=split,
        ids=tuple(row["id"] for row in rows),
        ids_sha256=ids_sha256,
        pixels=pixels or {},
        moments=moments or {},
        shards=(Shard(file=path.name, rows=len(rows), bytes=path.stat().st_size, sha256=files.sha256(path)),),
        digest="",
    )
    files.write_json(folder / MANIFEST, manifest.to_json())
    return folder
