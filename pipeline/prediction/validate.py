"""Score a net, or all that a training kept, by the paper's four metrics on a split that chooses and does not judge."""

import csv
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from pipeline.core import files
from pipeline.core.types import Refusal
from pipeline.fcn.net import FCN, LateFCN, build
from pipeline.metrics.scores import Scores, histogram, scores
from pipeline.prediction.predict import predict
from pipeline.runtime.observer import Observer
from pipeline.shards.reader import Shards

METRICS = ("pixel_acc", "mean_acc", "mean_iu", "fw_iu")
COLUMNS = ("iteration", "head", *METRICS)


def score(net: FCN | LateFCN, split: Shards, rows: Iterable[int], device: torch.device) -> dict[str, Scores]:
    """Of each head on those ``rows`` of a split, in one histogram; fractions. ``net`` is left set to evaluation.

    Raises Refusal where the net's classes are not the split's, its scores are no numbers, or no pixel has a class.
    """
    heads = net.spec.heads
    for head, label in heads.items():
        if (theirs := split.manifest.spec.labels[head]).classes != label.classes:
            raise Refusal(f"{split.folder} has other classes of {head} than the net: {len(theirs.classes)}")
    hists = {head: np.zeros((len(label.classes),) * 2, np.int64) for head, label in heads.items()}
    for example, labels in predict(net, net.spec, (split[row] for row in rows), device):
        for head, predicted in labels.items():
            hists[head] += histogram(example.labels[head], predicted, heads[head], f"{example.id} ({head})")
    order = sorted(hists, key=lambda head: (head != "semantic", head))  # a table's first head is what best goes by
    return {head: scores(hists[head], heads[head].classes) for head in order}


def validate(milestones: Path, shards: Path, out: Path, device: torch.device, observer: Observer | None = None) -> None:
    """Write ``out``, a row for each net in the folder ``milestones`` and each head; one net is in memory at a time.

    Tab-separated, fractions in full precision. ``observer`` has the mean IU by iteration. Raises Refusal where the
    training kept no weights, and as ``score``.
    """
    iterations = json.loads((milestones / "index.json").read_text(encoding="utf-8"))["iterations"]
    if not iterations:
        raise Refusal(f"{milestones} has no weights to score: set solver.milestones of this recipe")
    table: list[list[object]] = []
    for iteration in tqdm(iterations, desc=f"validate {milestones.parent.name}", unit="net", disable=None):
        net = build(milestones / f"{iteration:06d}.safetensors")
        split = Shards(shards, columns={*net.spec.inputs, *net.spec.heads})
        found = score(net, split, range(len(split)), device)
        table += [[iteration, head, *(one[name] for name in METRICS)] for head, one in found.items()]  # type: ignore[literal-required] # METRICS are its keys
        if observer:
            observer.point(iteration, named(found))
    with files.replacing(out) as scratch, scratch.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows([COLUMNS, *table])


def named(found: dict[str, Scores]) -> dict[str, float]:
    """The mean IU of each head, as an observer has it."""
    return {f"validation/{head}/mean_iu": one["mean_iu"] for head, one in found.items()}
