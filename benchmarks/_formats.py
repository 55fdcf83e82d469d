"""The same encoded samples as each library packs them; a library that is not installed is missed when it is called."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks._photos import encoded, photos
from pipeline.convert import writer
from pipeline.core.types import Sample

SHARD = 150  # samples a shard, so that two processes share them
VOC = Path("VOCdevkit/VOC2012")


def tree(out: Path, held: Sequence[Sample]) -> None:
    """Plain files in VOC's folders."""
    images, labels, lists = (out / VOC / name for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"))
    for folder in (images, labels, lists):
        folder.mkdir(parents=True, exist_ok=True)
    for sample in held:
        jpeg, png = encoded(sample)
        (images / f"{sample.id}.jpg").write_bytes(jpeg)
        (labels / f"{sample.id}.png").write_bytes(png)
    (lists / "train.txt").write_text("".join(f"{sample.id}\n" for sample in held))


def tars(out: Path, held: Sequence[Sample]) -> None:
    """webdataset's."""
    import webdataset

    out.mkdir(parents=True, exist_ok=True)
    with webdataset.ShardWriter(f"{out}/%04d.tar", maxcount=SHARD, verbose=0) as sink:
        for sample in held:
            jpeg, png = encoded(sample)
            sink.write({"__key__": sample.id, "jpg": jpeg, "png": png})


def mds(out: Path, held: Sequence[Sample]) -> None:
    """mosaicml-streaming's."""
    import streaming

    columns = {"id": "str", "image": "bytes", "label": "bytes"}
    size = 1 + sum(map(_bytes, held)) * SHARD // len(held)
    with streaming.MDSWriter(out=str(out), columns=columns, size_limit=size, progress_bar=False) as sink:
        for sample in held:
            sink.write(_row(sample))


def parquet(out: Path, held: Sequence[Sample]) -> None:
    """Hugging Face datasets', with its own way to Parquet."""
    import datasets

    features = datasets.Features({"id": datasets.Value("string"), "image": datasets.Image(), "label": datasets.Image()})
    columns: dict[str, list[Any]] = {name: [] for name in features}
    for sample in held:
        row = _row(sample)
        columns["id"].append(row["id"])
        for name in ("image", "label"):
            columns[name].append({"bytes": row[name], "path": None})
    out.mkdir(parents=True, exist_ok=True)
    datasets.disable_progress_bars()
    datasets.Dataset.from_dict(columns, features=features).to_parquet(out / "train.parquet")


def chunks(out: Path, held: Sequence[Sample]) -> None:
    """litdata's, by the writer below its ``optimize``, which would start processes and talk."""
    os.environ.setdefault("LITDATA_DISABLE_VERSION_CHECK", "1")
    from litdata.streaming.writer import BinaryWriter

    out.mkdir(parents=True, exist_ok=True)
    sink = BinaryWriter(str(out), chunk_size=SHARD)
    for number, sample in enumerate(held):
        sink.add_item(number, _row(sample))
    sink.done()
    sink.merge(1)


def shards(out: Path, raw: Path, processes: int = 1) -> None:
    """Ours, as convert writes them: each sample decoded, checked and counted."""
    writer.convert("voc", photos, raw, out, rows_per_shard=SHARD, expect=None, processes=processes)


def _row(sample: Sample) -> dict[str, Any]:
    jpeg, png = encoded(sample)
    return {"id": sample.id, "image": jpeg, "label": png}


def _bytes(sample: Sample) -> int:
    return sum(map(len, encoded(sample)))
