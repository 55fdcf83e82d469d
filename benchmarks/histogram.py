"""The confusion matrix of label maps, image by image: python -m benchmarks.histogram.

torchmetrics is handed the int64 tensors that it needs, ours and score.py's bincount the uint8 maps that pictures hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from benchmarks import _photos, _rounds
from benchmarks._rounds import Case, Goal, Sides, Timed
from pipeline.datasets.voc import SPEC
from pipeline.metrics import scores
from pipeline.shards import decode
from stages.shared.stage import Stage

LABEL = SPEC.labels["semantic"]
CLASSES, VOID = len(LABEL.classes), LABEL.ignore_label
SHIFT = 8  # pixels by which a prediction lies beside its label: most agree, borders do not

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]
AS_IT_COMES = "torchmetrics confusion matrix"


def pairs(raw: Path) -> list[Pair]:
    """H×W uint8 labels, void included, and their predictions, without void."""
    found = []
    for sample in _photos.samples(raw):
        truth = decode.label(pa.py_buffer(sample.labels["semantic"].bytes))
        predicted = np.roll(truth, SHIFT, axis=1)
        found.append((truth, np.where(predicted == VOID, np.uint8(0), predicted)))
    return found


def score_py(truth: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> NDArray[np.int64]:
    """fast_hist of the authors' score.py."""
    counted = (truth >= 0) & (truth < CLASSES)
    cells = CLASSES * truth[counted].astype(int) + predicted[counted]
    return np.bincount(cells, minlength=CLASSES**2).reshape(CLASSES, CLASSES)


def ours(truth: NDArray[np.uint8], predicted: NDArray[np.uint8]) -> NDArray[np.int64]:
    return scores.histogram(truth, predicted, LABEL, "image")


def summed(maps: Sequence[Pair], count: Callable[..., NDArray[np.int64]]) -> Timed:
    """A call that counts all maps."""
    return lambda: sum(count(*pair) for pair in maps)


def updated(maps: Sequence[Pair], name: str, **options: object) -> Timed:
    """A call that updates a torchmetrics metric with all maps and computes it.

    Raises ValueError where a confusion matrix is not ours.
    """
    import torchmetrics.classification
    import torchmetrics.segmentation

    of = torchmetrics.segmentation if name == "MeanIoU" else torchmetrics.classification
    metric = getattr(of, name)(num_classes=CLASSES, **options)
    tensors = [tuple(torch.from_numpy(half).long().unsqueeze(0) for half in pair) for pair in maps]

    def call() -> Any:
        metric.reset()
        for truth, predicted in tensors:
            metric.update(predicted, truth)
        return metric.compute()

    if name != "MeanIoU" and not np.array_equal(call().numpy(), np.asarray(summed(maps, ours)())):
        raise ValueError("counts otherwise than ours")
    return call


def cases(maps: Sequence[Pair]) -> list[Case]:
    """One, in one thread."""
    matrix = partial(updated, maps, "MulticlassConfusionMatrix", ignore_index=VOID)
    peers: Sides = {
        AS_IT_COMES: matrix,
        "torchmetrics confusion matrix, validate_args=False": partial(matrix, validate_args=False),
        "torchmetrics MeanIoU": partial(
            updated, [(np.where(truth == VOID, 0, truth), predicted) for truth, predicted in maps], "MeanIoU",
            input_format="index",
        ),
        "score.py's bincount": lambda: summed(maps, score_py),
    }  # fmt: skip
    goal = Goal(text="ours ≥ 5 × torchmetrics as it comes", ours="ours", peers=(AS_IT_COMES,), times=5)
    return [
        Case(
            title="one thread",
            peers=peers,
            ours={"ours": lambda: summed(maps, ours)},
            unit="images/s",
            amount=len(maps),
            goals=[goal],
            notes={"torchmetrics MeanIoU": lambda: "void counts as background; a mean over images"},
        )
    ]


@click.command(cls=Stage)
@_rounds.options(rounds=5)
@_photos.options(images=40)
def main(rounds: int, results: Path, images: int, real: Path | None) -> None:
    """Measure and write histogram.json."""
    torch.set_num_threads(1)  # and not determinism.start, under which torchmetrics counts by a slow loop
    raw = _photos.archive(images, real)
    data = f"Labels of {_photos.told(_photos.samples(raw), real)}"
    name = "histogram-real" if real else "histogram"
    _rounds.run(name, cases(pairs(raw)), rounds=rounds, results=results, data=data)


if __name__ == "__main__":
    main()
