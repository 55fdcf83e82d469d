"""Signs that a net in training learns nothing, each as a line for whoever looks on; what to do is not decided here."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np

from pipeline.core.types import LabelSpec
from pipeline.runtime.observer import Pixels
from pipeline.training.loss import balance

PARTS = 10  # the loss is looked at after each tenth of the budget
EARLY = 2  # one class is no sign in the first half: scores start at zero, and background is learnt first


class Guess(NamedTuple):
    """The loss per pixel, added over heads, of a net that has not seen the image."""

    alike: float  # it holds all classes for equally likely
    frequency: float  # it knows how often each class is


def guess(pixels: Mapping[str, Mapping[str, int]], heads: Mapping[str, LabelSpec], balanced: bool) -> Guess:
    """What guessing costs on labels of which ``pixels`` counts each class by head; ``balanced`` as the recipe has it.

    With shares p and weights w the least loss without the image is -Σ w·p·ln q, q = w·p / Σ w·p.
    """
    alike = frequency = 0.0
    for head, spec in heads.items():
        counts = [pixels[head][name] for name in spec.classes]
        weights = balance(pixels[head], spec) if balanced else (1.0,) * len(counts)
        parts = [weight * count / max(sum(counts), 1) for weight, count in zip(weights, counts, strict=True) if count]
        alike += sum(parts) * math.log(len(counts))
        frequency -= sum(part * math.log(part / sum(parts)) for part in parts)
    return Guess(alike, frequency)


def of_loss(rows: Sequence[tuple[int, float]], iterations: int, least: Guess) -> str:
    """What is wrong with a history's ``rows`` (iterations done, loss per pixel), or nothing.

    The last tenth is no better than taking all classes for alike. Or it is no better than their frequencies, and since
    the first tenth the later half of the losses was no lower than the earlier: a net that is fine-tuned may stand
    still, but far below that.
    """
    done, tenth = rows[-1][0], iterations / PARTS
    recent = fmean(loss for at, loss in rows if at > done - tenth)
    if done >= tenth and recent >= least.alike:
        return f"after {done} iterations the loss is {recent:.3g}; guessing gives {least.alike:.3g}"
    since = [loss for at, loss in rows if at > tenth]
    if done < 2 * tenth or len(since) < 2:
        return ""
    earlier, later = fmean(since[: len(since) // 2]), fmean(since[len(since) // 2 :])
    if later >= max(earlier, least.frequency):
        return (
            f"the loss does not fall: {later:.3g} after {done} iterations, {earlier:.3g} before; "
            f"to know how often each class is gives {least.frequency:.3g}"
        )
    return ""


def of_labels(
    done: int,
    iterations: int,
    truth: Sequence[Mapping[str, Pixels]],
    predicted: Sequence[Mapping[str, Pixels]],
    heads: Mapping[str, LabelSpec],
) -> str:
    """What is wrong with images' ``predicted`` label maps (H×W by head) beside their ``truth``, or nothing."""
    for head, spec in heads.items() if done * EARLY >= iterations and predicted else ():
        found = {int(label) for maps in predicted for label in np.unique(maps[head])}
        meant = {int(label) for maps in truth for label in np.unique(maps[head])} - {spec.ignore_label}
        if len(found) == 1 < len(meant):
            where = f"all pixels of {len(predicted)} images, whose labels have {len(meant)} classes"
            return f"after {done} iterations {where}, are {spec.classes[found.pop()]}"
    return ""
