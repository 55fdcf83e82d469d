"""A split as a sequence of decoded examples: JPEG by libjpeg-turbo straight into its array, if simplejpeg is there."""

import io
import os
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from pipeline.core import files
from pipeline.core.types import Refusal
from pipeline.shards.schema import ROW_GROUP, columns_of, read_manifest

try:
    from simplejpeg import decode_jpeg
except ImportError:  # Pillow has the same pixels of the same library, in half as long again
    decode_jpeg = None

JPEG = b"\xff\xd8"


def decode_image(encoded: pa.Buffer, mode: str) -> NDArray[Any]:
    """H×W×3 uint8 of mode RGB, H×W uint8 of L, H×W uint16 of I;16; an array of its own, which torch may write to.

    Pillow has the last word on a JPEG that libjpeg-turbo warns of. Raises OSError for bytes that are no image.
    """
    octets = memoryview(encoded).cast("B")  # Arrow's are signed
    if decode_jpeg and mode == "RGB" and octets[:2] == JPEG:
        with suppress(ValueError):
            pixels: NDArray[np.uint8] = decode_jpeg(octets, "RGB", fastdct=False, fastupsample=False)  # as Pillow does
            return pixels
    with Image.open(io.BytesIO(encoded)) as opened:
        return np.array(opened if opened.mode == mode else opened.convert(mode))


def decode_label(encoded: pa.Buffer) -> NDArray[np.uint8]:
    """H×W uint8, the indices of a grey or paletted PNG."""
    with Image.open(io.BytesIO(encoded)) as opened:
        return np.array(opened, dtype=np.uint8)


Pixels = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Example:
    """A decoded sample: labels H×W uint8 class indices (``ignore_label`` where void), images by their column's mode.

    RGB columns are H×W×3 uint8, ``L`` ones H×W uint8, ``I;16`` ones H×W uint16.
    """

    id: str
    images: dict[str, NDArray[Any]]
    labels: dict[str, Pixels]


@dataclass
class _Open:
    """What one process holds of the folder: open shards and the row groups last read."""

    process: int = field(default_factory=os.getpid)
    lock: threading.Lock = field(default_factory=threading.Lock)
    shards: dict[int, pq.ParquetFile] = field(default_factory=dict)
    groups: OrderedDict[tuple[int, int], pa.Table] = field(default_factory=OrderedDict)


class Shards:
    """A split as a sequence of examples in the manifest's order: ``Shards(Path("data/shards/sbd/train"))[7]``.

    ``columns`` are all that is read and decoded, images and label heads alike; None means every one. ``groups`` row
    groups (16 rows, about 2 MB each) stay in memory, the last used ones. Each process verifies a shard's
    sha256 when it first opens it, unless ``verify`` is off. Pickles as its folder: forked and spawned workers open
    their own files.

    Raises Refusal when the folder has no manifest or lacks a column, or a shard is not the one the manifest names.
    """

    def __init__(
        self, folder: Path, *, columns: Collection[str] | None = None, verify: bool = True, groups: int = 64
    ) -> None:
        self.folder = folder
        self.manifest = read_manifest(folder)
        self._verify = verify
        self._groups = groups
        self._starts = [0, *accumulate(shard.rows for shard in self.manifest.shards)]
        known = columns_of(self.manifest.spec)
        self._columns = tuple(column for column in known if columns is None or column in columns)
        for column in columns or ():
            if column not in known:
                raise Refusal(f"{folder} has no column {column!r}: it has {', '.join(known)}")
        self._open = _Open()
        if self._starts[-1] != self.manifest.rows:
            raise Refusal(f"{folder} lists {self.manifest.rows} ids but its shards hold {self._starts[-1]} rows")
        for shard in self.manifest.shards:
            path = folder / shard.file
            if not path.is_file() or path.stat().st_size != shard.bytes:
                what = f"is missing or has not the {shard.bytes} bytes that its manifest says"
                raise Refusal(f"{path} {what}: run its convert stage again")

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Shards, columns=self._columns, verify=self._verify, groups=self._groups), (self.folder,)

    def __len__(self) -> int:
        return self.manifest.rows

    def __getitem__(self, index: int) -> Example:
        if not 0 <= index < len(self):
            raise IndexError(f"row {index} of {len(self)} in {self.folder}")
        shard = bisect_right(self._starts, index) - 1
        group, row = divmod(index - self._starts[shard], ROW_GROUP)
        table = self._group(shard, group)
        spec = self.manifest.spec
        encoded = {column: table[column][row]["bytes"].as_buffer() for column in self._columns}
        return Example(
            id=table["id"][row].as_py(),
            images={name: decode_image(encoded[name], spec.mode(name)) for name in spec.images if name in encoded},
            labels={head: decode_label(encoded[head]) for head in spec.labels if head in encoded},
        )

    def _group(self, shard: int, group: int) -> pa.Table:
        opened = self._open
        if opened.process != os.getpid():  # after a fork the parent's handles and locks are not ours to touch
            self._open = opened = _Open()
        with opened.lock:
            table = opened.groups.pop((shard, group), None)
            if table is None:
                file, columns = self._shard(opened, shard), ["id", *self._columns]
                table = file.read_row_group(group, columns=columns, use_threads=False)
            opened.groups[shard, group] = table
            if len(opened.groups) > self._groups:
                opened.groups.popitem(last=False)
            return table

    def _shard(self, opened: _Open, index: int) -> pq.ParquetFile:
        if index not in opened.shards:
            shard = self.manifest.shards[index]
            path = self.folder / shard.file
            if self._verify and (actual := files.sha256(path)) != shard.sha256:
                raise Refusal(
                    f"{path} is damaged: sha256 {actual}, its manifest says {shard.sha256}; run its convert stage again"
                )
            opened.shards[index] = pq.ParquetFile(path, memory_map=True, pre_buffer=False)  # 0.13 ms a group, not 0.5
        return opened.shards[index]
