"""Score a net on a split that it never trained on, and leave numbers, counts and pictures behind."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from tqdm import tqdm

from pipeline import files
from pipeline.evaluation import panels
from pipeline.evaluation.dense import Dense
from pipeline.evaluation.predict import predict
from pipeline.evaluation.scores import Histogram, histogram, scores
from pipeline.fcn.net import FCN, LateFCN, build
from pipeline.shards.reader import Shards
from pipeline.shards.schema import read_manifest
from pipeline.types import LabelSpec, Refusal

COLUMNS: dict[str, pa.DataType] = {
    "head": pa.string(),
    "truth": pa.string(),
    "predicted": pa.string(),
    "pixels": pa.int64(),
}


def evaluate(
    *, model: Path, shards: Path, train: Path, out: Path, device: torch.device, scale: str, dense: bool = False
) -> None:
    """Write ``out``/metrics.json, hist.parquet and panels/ for the net in ``model`` on the split in ``shards``.

    ``train`` is the folder of the split the net learned from; only its manifest is read. One histogram per head over
    the whole split; scores are fractions in full precision. ``dense`` scores an FCN-32s at every eighth pixel.

    Raises Refusal when the two splits share an image, or the net's classes are not the split's.
    """
    net: FCN | LateFCN | Dense = Dense(build(model)) if dense else build(model)
    heads = net.spec.heads
    shown = read_manifest(shards).spec.images[0]
    split = Shards(shards, columns={shown, *net.spec.inputs, *heads})
    _refuse_leak(split.manifest.ids, read_manifest(train).ids, shards, train)
    _refuse_other_classes(heads, split.manifest.spec.labels, model, shards)

    hists: dict[str, Histogram] = {}
    ids = hashlib.sha256()
    drawn = panels.chosen(len(split))
    with files.replacing(out / "panels") as folder:
        folder.mkdir()
        examples = (split[i] for i in range(len(split)))
        bar = tqdm(examples, desc=f"evaluate {out.name}", total=len(split), unit="image", disable=None)
        for index, (example, labels) in enumerate(predict(net, net.spec, bar, device)):
            ids.update(f"{example.id}\n".encode())
            for head, predicted in labels.items():
                counts = histogram(example.labels[head], predicted, heads[head], f"{example.id} ({head})")
                hists[head] = hists[head] + counts if head in hists else counts
            if index in drawn:
                picture = panels.panel(example.images[shown], example.labels, labels, heads)
                panels.write(folder / panels.file_name(drawn.index(index), example.id), picture)
    write_hist(out / "hist.parquet", hists, heads)
    metrics: dict[str, Any] = {head: scores(hist, heads[head].classes) for head, hist in hists.items()}
    files.write_json(
        out / "metrics.json", {**metrics, "images": len(split), "ids_sha256": ids.hexdigest(), "scale": scale}
    )


def write_hist(path: Path, hists: Mapping[str, Histogram], labels: Mapping[str, LabelSpec]) -> None:
    """One row per head and pair of classes, rows of the histogram first; equal counts give equal bytes."""
    rows = [
        {"head": head, "truth": truth, "predicted": predicted, "pixels": int(hist[i, j])}
        for head, hist in hists.items()
        for i, truth in enumerate(labels[head].classes)
        for j, predicted in enumerate(labels[head].classes)
    ]
    with files.replacing(path) as scratch:
        pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema(COLUMNS)), scratch, compression="none")


def _refuse_leak(evaluated: tuple[str, ...], trained: tuple[str, ...], shards: Path, train: Path) -> None:
    leaked = sorted(set(evaluated) & set(trained))
    if leaked:
        raise Refusal(
            f"{leaked[0]} and {len(leaked) - 1} more images of {shards} are also in {train}, which the net trained on: "
            "evaluate on a split that leaves them out (for SBD training that is seg11valid)"
        )


def _refuse_other_classes(
    net: Mapping[str, LabelSpec], split: Mapping[str, LabelSpec], model: Path, shards: Path
) -> None:
    for head, label in net.items():
        if head not in split:
            raise Refusal(f"{model} predicts {head!r} but {shards} is labelled with {', '.join(split)}: choose another")
        if label.classes != split[head].classes or label.ignore_label != split[head].ignore_label:
            raise Refusal(f"{model} and {shards} disagree on {head!r}'s classes: evaluate on the net's own dataset")
