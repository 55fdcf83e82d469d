"""Score a net on a split that it never trained on, and leave numbers, counts and pictures behind."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from tqdm import tqdm

from pipeline.core import files
from pipeline.core.types import LabelSpec, Refusal
from pipeline.evaluation import images, limits, pictures
from pipeline.evaluation.dense import Dense
from pipeline.evaluation.limits import Limits
from pipeline.evaluation.predict import predict
from pipeline.fcn.net import FCN, LateFCN, build
from pipeline.metrics.scores import Histogram, histogram, scores
from pipeline.panels import panels
from pipeline.panels.shown import Seen, Shown
from pipeline.runtime.distributed import ALONE, Group
from pipeline.runtime.observer import Observer
from pipeline.shards.reader import Shards
from pipeline.shards.schema import read_manifest

POINTS = 300  # per curve
COLUMNS: dict[str, pa.DataType] = {
    "head": pa.string(),
    "truth": pa.string(),
    "predicted": pa.string(),
    "pixels": pa.int64(),
}


@dataclass(frozen=True, kw_only=True)
class _Part:
    """What one process found in its images: ids, and some to show, by index; scores; histogram and limits per head."""

    ids: dict[int, str]
    rows: list[images.Row]
    hists: dict[str, Histogram]
    limits: dict[str, Limits]
    seen: dict[int, Seen]


def evaluate(
    *,
    model: Path,
    shards: Path,
    out: Path,
    device: torch.device,
    scale: str,
    dense: bool = False,
    group: Group = ALONE,
    observer: Observer | None = None,
) -> None:
    """Write ``out``/metrics.json, hist.parquet, panels/, limits.json, images.tsv and shown.parquet for the net in
    ``model`` on the split in ``shards``.

    That the net did not learn from the split is for ``pipeline.leaks`` to prove. One histogram per head over the whole
    split; scores are fractions in full precision. ``dense`` scores an FCN-32s at every eighth pixel. Every process of
    ``group`` calls this alike and scores its images; the first writes. ``observer`` is told how the scores run,
    ``POINTS`` times at most; those of the first process's images alone.

    Raises Refusal when the net's classes are not the split's.
    """
    net: FCN | LateFCN | Dense = Dense(build(model)) if dense else build(model)
    heads = net.spec.heads
    split = Shards(shards, columns={read_manifest(shards).spec.images[0], *net.spec.inputs, *heads})
    _refuse_other_classes(heads, split.manifest.spec.labels, model, shards)
    parts = group.gather(_part(net, split, device, group, f"evaluate {out.name}", observer))
    if not group.leads:
        return
    rows = [row for part in parts for row in part.rows]
    ids = {index: name for part in parts for index, name in part.ids.items()}
    pictures.write(out, _shown(rows, parts, net, split, device))
    images.write(out / "images.tsv", rows, list(heads))
    digest = hashlib.sha256("".join(f"{ids[index]}\n" for index in range(len(split))).encode()).hexdigest()
    _write_numbers(out, parts, heads, {"images": len(ids), "ids_sha256": digest, "scale": scale})


def _part(
    net: FCN | LateFCN | Dense,
    split: Shards,
    device: torch.device,
    group: Group,
    title: str,
    observer: Observer | None,
) -> _Part:
    """Score every ``group.size``-th image, for neighbours take about as long, and keep those that are to be shown."""
    heads, photo = net.spec.heads, split.manifest.spec.images[0]
    chosen = panels.chosen(len(split))
    hists = {head: np.zeros((len(label.classes),) * 2, np.int64) for head, label in heads.items()}
    found = {head: Limits(label) for head, label in heads.items()}
    part = _Part(ids={}, rows=[], hists=hists, limits=found, seen={})
    own = range(group.rank, len(split), group.size)
    every, began = math.ceil(len(own) / POINTS), time.perf_counter()
    hidden = None if group.leads else True  # None: shown where somebody looks
    bar = tqdm((split[index] for index in own), desc=title, total=len(own), unit="image", disable=hidden)
    for index, (example, labels) in zip(own, predict(net, net.spec, bar, device), strict=True):
        part.ids[index] = example.id
        for head, predicted in labels.items():
            truth, name = example.labels[head], f"{example.id} ({head})"
            counts = histogram(truth, predicted, heads[head], name)
            hists[head] += counts
            scored = scores(counts, heads[head].classes) if counts.any() else None
            if scored:
                found[head].add(truth, predicted, name)
            part.rows.append(images.Row.of(head, index, example.id, scored))
        if index in chosen:
            part.seen[index] = Seen(example.id, example.images[photo], example.labels, labels)
        if observer and (len(part.ids) % every == 0 or len(part.ids) == len(own)):
            observer.point(len(part.ids), _running(hists, heads, len(part.ids) / (time.perf_counter() - began)))
    return part


def _shown(
    rows: Sequence[images.Row], parts: Sequence[_Part], net: FCN | LateFCN | Dense, split: Shards, device: torch.device
) -> list[Shown]:
    """The images spread evenly, then the best, the median and the worst by the first head; each with every head.

    Of the latter those that no part has kept are predicted once more.
    """
    heads, photo = net.spec.heads, split.manifest.spec.images[0]
    seen = {index: one for part in parts for index, one in part.seen.items()}
    places = {f"{at:02d}": index for at, index in enumerate(sorted(seen))}
    places |= {place: row.position for place, row in images.extremes(rows, next(iter(heads))).items()}
    others = sorted({*places.values()} - seen.keys())
    again = predict(net, net.spec, (split[index] for index in others), device)
    for index, (example, labels) in zip(others, again, strict=True):
        seen[index] = Seen(example.id, example.images[photo], example.labels, labels)
    return [row for place, index in places.items() for row in seen[index].rows(place, heads)]


def _write_numbers(out: Path, parts: Sequence[_Part], heads: Mapping[str, LabelSpec], facts: Mapping[str, Any]) -> None:
    """hist.parquet, limits.json and metrics.json of all parts; ``facts`` are of the whole split."""
    hists: dict[str, Histogram] = {head: np.sum([part.hists[head] for part in parts], axis=0) for head in heads}
    write_hist(out / "hist.parquet", hists, heads)
    told = {head: limits.told([part.limits[head] for part in parts]) for head in heads}
    files.write_json(out / "limits.json", {**told, **facts})
    metrics: dict[str, Any] = {head: scores(hist, heads[head].classes) for head, hist in hists.items()}
    files.write_json(out / "metrics.json", {**metrics, **facts})


def _running(hists: Mapping[str, Histogram], heads: Mapping[str, LabelSpec], speed: float) -> dict[str, float]:
    """The scores so far by head, of those that have seen a pixel."""
    seen = {head: scores(hist, heads[head].classes) for head, hist in hists.items() if hist.any()}
    found = {f"running/{head}/mean_iu": score["mean_iu"] for head, score in seen.items()}
    return {**found, "images_per_second": speed}


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


def _refuse_other_classes(
    net: Mapping[str, LabelSpec], split: Mapping[str, LabelSpec], model: Path, shards: Path
) -> None:
    for head, label in net.items():
        if head not in split:
            raise Refusal(f"{model} predicts {head!r} but {shards} is labelled with {', '.join(split)}: choose another")
        if label.classes != split[head].classes or label.ignore_label != split[head].ignore_label:
            raise Refusal(f"{model} and {shards} disagree on {head!r}'s classes: evaluate on the net's own dataset")
