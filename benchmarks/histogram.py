"""The confusion matrix of label maps, image by image: python -m benchmarks.histogram.

torchmetrics is handed the int64 tensors that it needs, ours and score.py's bincount the uint8 maps that pictures hold.
"""

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
from pipeline.shards.reader import decode_label
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
        truth = decode_label(pa.py_buffer(sample.labels["semantic"].bytes))
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


def updated(maps: Sequence[Pair], **options: object) -> Timed:
    """A call that updates torchmetrics' confusion matrix with all maps and computes it.

    Raises ValueError where it is not ours.
    """
    from torchmetrics.classification import MulticlassConfusionMatrix

    metric = MulticlassConfusionMatrix(num_classes=CLASSES, ignore_index=VOID, **options)
    tensors = [tuple(torch.from_numpy(half).long().unsqueeze(0) for half in pair) for pair in maps]

    def call() -> Any:
        metric.reset()
        for truth, predicted in tensors:
            metric.update(predicted, truth)
        return metric.compute()

    if not np.array_equal(call().numpy(), np.asarray(summed(maps, ours)())):
        raise ValueError("counts otherwise than ours")
    return call


def cases(maps: Sequence[Pair]) -> list[Case]:
    """One, in one thread."""
    peers: Sides = {
        AS_IT_COMES: partial(updated, maps),
        f"{AS_IT_COMES}, validate_args=False": partial(updated, maps, validate_args=False),
        "score.py's bincount": lambda: summed(maps, score_py),
    }
    own: Sides = {"ours": lambda: summed(maps, ours)}
    goal = Goal(text="ours ≥ 5 × torchmetrics as it comes", ours="ours", peers=(AS_IT_COMES,), times=5)
    return [Case(title="one thread", peers=peers, ours=own, unit="images/s", amount=len(maps), goals=[goal])]


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
