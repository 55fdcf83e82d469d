"""Score a net on a split that it never trained on, and leave numbers, counts and pictures behind."""

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from tqdm import tqdm

from pipeline.core import files
from pipeline.core.types import LabelSpec, Refusal
from pipeline.evaluation import limits, outputs
from pipeline.evaluation.limits import Limits
from pipeline.evaluation.outputs import Row
from pipeline.fcn.net import FCN, LateFCN, build
from pipeline.metrics.scores import Histogram, histogram, scores
from pipeline.panels import panels
from pipeline.panels.panels import Seen, Shown, lone_class
from pipeline.prediction.predict import Dense, predict
from pipeline.runtime.distributed import ALONE, Group
from pipeline.runtime.observer import Observer
from pipeline.shards.reader import Shards
from pipeline.shards.schema import read_manifest

POINTS = 300  # per curve
TEXTS = ("head", "truth", "predicted")
COLUMNS: dict[str, pa.DataType] = {**dict.fromkeys(TEXTS, pa.string()), "pixels": pa.int64()}
Net = FCN | LateFCN | Dense
Heads = Mapping[str, LabelSpec]
Hists = dict[str, Histogram]


@dataclass(frozen=True, kw_only=True)
class _Part:
    """What one process found in its images: scores; histogram and limits by head; ids, and some to show, by index."""

    hists: Hists
    limits: dict[str, Limits]
    ids: dict[int, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    seen: dict[int, Seen] = field(default_factory=dict)


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
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Write ``out``/metrics.json, classes.json, hist.parquet, panels/, limits.json, images.tsv and shown.parquet for
    the net in ``model`` on the split in ``shards``. ``say`` hears of a net that predicts one class only.

    That the net did not learn from the split is for ``pipeline.leaks`` to prove. One histogram per head over the whole
    split; scores are fractions in full precision. ``dense`` scores an FCN-32s at every eighth pixel. Every process of
    ``group`` calls this alike and scores its images; the first writes. ``observer`` sees how the scores run, ``POINTS``
    times at most; those of the first process's images alone.

    Raises Refusal when the net's classes are not the split's.
    """
    net: Net = Dense(build(model)) if dense else build(model)
    heads = net.spec.heads
    split = Shards(shards, columns={read_manifest(shards).spec.images[0], *net.spec.inputs, *heads})
    _refuse_other_classes(heads, split.manifest.spec.labels, model, shards)
    parts = group.gather(_part(net, split, device, group, f"evaluate {out.name}", observer))
    if not group.leads:
        return
    rows = [row for part in parts for row in part.rows]
    ids = {index: name for part in parts for index, name in part.ids.items()}
    outputs.write_panels(out, _shown(rows, parts, net, split, device))
    outputs.write_images(out / "images.tsv", rows, list(heads))
    digest = hashlib.sha256("".join(f"{ids[index]}\n" for index in range(len(split))).encode()).hexdigest()
    hists = _write_numbers(out, parts, heads, {"images": len(ids), "ids_sha256": digest, "scale": scale})
    for head, hist in hists.items():
        if found := lone_class(hist, heads[head].classes):
            say(f"{out.name}, {head}: {found}")


def _part(net: Net, split: Shards, device: torch.device, group: Group, title: str, observer: Observer | None) -> _Part:
    """Score every ``group.size``-th image, for neighbours take about as long, and keep those that are to be shown."""
    heads, photo = net.spec.heads, split.manifest.spec.images[0]
    chosen = panels.chosen(len(split))
    part = _Part(
        hists={head: np.zeros((len(label.classes),) * 2, np.int64) for head, label in heads.items()},
        limits={head: Limits(label) for head, label in heads.items()},
    )
    own = range(group.rank, len(split), group.size)
    every, began = math.ceil(len(own) / POINTS), time.perf_counter()
    hidden = None if group.leads else True  # None: shown where somebody looks
    bar = tqdm((split[index] for index in own), desc=title, total=len(own), unit="image", disable=hidden)
    for index, (example, labels) in zip(own, predict(net, net.spec, bar, device), strict=True):
        part.ids[index] = example.id
        for head, predicted in labels.items():
            truth, name = example.labels[head], f"{example.id} ({head})"
            counts = histogram(truth, predicted, heads[head], name)
            part.hists[head] += counts
            pixel_acc, mean_iu = None, None
            if counts.any():
                found = scores(counts, heads[head].classes)
                pixel_acc, mean_iu = found["pixel_acc"], found["mean_iu"]
                part.limits[head].add(truth, predicted, name)
            part.rows.append(Row(head, index, example.id, pixel_acc, mean_iu))
        if index in chosen:
            part.seen[index] = Seen(example.id, example.images[photo], example.labels, labels)
        done = len(part.ids)
        if observer and (done % every == 0 or done == len(own)):
            seen = {head: scores(hist, heads[head].classes) for head, hist in part.hists.items() if hist.any()}
            running = {f"running/{head}/mean_iu": found["mean_iu"] for head, found in seen.items()}
            observer.point(done, {**running, "throughput": done / (time.perf_counter() - began)})
    return part


def _shown(rows: Sequence[Row], parts: Sequence[_Part], net: Net, split: Shards, device: torch.device) -> list[Shown]:
    """The images spread evenly, then the best, the median and the worst by the first head; each with every head.

    Of the latter those that no part has kept are predicted once more.
    """
    heads, photo = net.spec.heads, split.manifest.spec.images[0]
    seen = {index: one for part in parts for index, one in part.seen.items()}
    places = {f"{at:02d}": index for at, index in enumerate(sorted(seen))}
    places |= {place: row.position for place, row in outputs.extremes(rows, next(iter(heads))).items()}
    others = sorted({*places.values()} - seen.keys())
    again = predict(net, net.spec, (split[index] for index in others), device)
    for index, (example, labels) in zip(others, again, strict=True):
        seen[index] = Seen(example.id, example.images[photo], example.labels, labels)
    return [row for place, index in places.items() for row in seen[index].rows(place, heads)]


def _write_numbers(out: Path, parts: Sequence[_Part], heads: Heads, facts: Mapping[str, Any]) -> Hists:
    """The JSON files and hist.parquet, which comes back, of all parts; ``facts`` are of the whole split."""
    hists: Hists = {head: np.sum([part.hists[head] for part in parts], axis=0) for head in heads}
    write_hist(out / "hist.parquet", hists, heads)
    found = {head: limits.summary([part.limits[head] for part in parts]) for head in heads}
    files.write_json(out / "limits.json", {**found, **facts})
    metrics: dict[str, dict[str, Any]] = {h: {**scores(hist, heads[h].classes)} for h, hist in hists.items()}
    classes = {head: {name: found.pop(name) for name in ("iu", "absent")} for head, found in metrics.items()}
    files.write_json(out / "classes.json", classes)
    files.write_json(out / "metrics.json", {**metrics, **facts})
    return hists


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


def _refuse_other_classes(net: Heads, split: Heads, model: Path, shards: Path) -> None:
    for head, label in net.items():
        if head not in split:
            raise Refusal(f"{model} predicts {head!r} but {shards} is labelled with {', '.join(split)}: choose another")
        if label.classes != split[head].classes or label.ignore_label != split[head].ignore_label:
            raise Refusal(f"{model} and {shards} disagree on {head!r}'s classes: evaluate on the net's own dataset")
