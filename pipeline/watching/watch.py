"""What a training shows while it runs: its curve, its scores on a few validation images, its labels of eight images."""

import math
import re
import time
from collections.abc import Callable
from pathlib import Path

import torch

from pipeline.core.types import Refusal
from pipeline.fcn import inputs
from pipeline.fcn.net import FCN, LateFCN
from pipeline.prediction.validate import named, score
from pipeline.runtime.observer import Observer, Pixels
from pipeline.shards.reader import Example, Shards
from pipeline.shards.schema import read_manifest
from pipeline.training.feed import Feed
from pipeline.training.loss import History
from pipeline.training.milestones import iterations
from pipeline.training.solver import Solver
from pipeline.watching import alarms

IMAGES = 8  # of the training split, spread evenly
VALIDATED = 100  # images at most at a milestone
STEPS = 40  # or an image for so many: forward is a third of a step, decoding and scoring as much, so 2 % of the time
MOMENTS = 8  # and the start, where a 16s shows what its 32s knew


def watch(
    observer: Observer,
    shards: Path,
    net: FCN | LateFCN,
    solver: Solver,
    feed: Feed,
    history: History,
    *,
    hopeful: bool = True,
    validation: Path | None = None,
) -> Callable[[], None]:
    """Show ``observer`` the training of ``net`` on ``shards``; call what comes back after each iteration.

    It sees the history's rows, those of a resumed training again: the process before may have died before they were
    sent; and at nine moments the labels of ``IMAGES`` of ``shards``: which, depends on their number. A moment costs
    eight forward passes and leaves the net and the global random numbers as they were. At the iterations whose weights
    are kept it also sees the mean IU on images of the split ``validation``, spread evenly. Each of the ``alarms`` comes
    once, none where no net is ``hopeful`` to learn: the paper's start from random weights is none.
    """
    kept = iterations(solver.spec)
    most = min(VALIDATED, kept[0] * solver.spec.batch // STEPS) if kept else 0
    moments = {solver.spec.iterations * moment // MOMENTS for moment in range(MOMENTS + 1)}
    manifest, total = read_manifest(shards), solver.spec.iterations
    photo = manifest.spec.images[0]
    least = alarms.guess(manifest.pixels, net.spec.heads, solver.spec.balance != "none")
    raised: set[str] = set()
    samples = Shards(shards, columns={photo, *net.spec.inputs, *net.spec.heads}, verify=False)
    chosen = sorted({k * len(samples) // IMAGES for k in range(IMAGES)})
    examples = [feed.cut(index, samples[index]) for index in chosen]
    shown = 0
    began, waited, first = time.perf_counter(), feed.waited, solver.iteration

    def alarm(kind: str, text: str) -> None:
        if text and hopeful and kind not in raised:
            raised.add(kind)
            observer.alarm(solver.iteration, text)

    def look() -> None:
        nonlocal shown, began, waited, first
        for done, loss in history.rows[shown:]:
            speed: dict[str, float] = {}
            if images := (solver.iteration - first) * solver.spec.batch:
                now = time.perf_counter()
                wait = (feed.waited - waited) / (now - began)
                speed = {"throughput": images / (now - began), "wait": wait}
                began, waited, first = now, feed.waited, solver.iteration
            # The loss as history.tsv has it, per valid pixel; MLflow's axis would call a rate of 1e-8 zero
            rate = math.log10(solver.spec.rate(done - 1))
            observer.point(done, {"loss": round(loss, 6), "lr_log10": rate, **speed})
            if done * alarms.PARTS // total > (done - history.every) * alarms.PARTS // total:
                alarm("loss", alarms.of_loss(history.rows, total, least))
        due = validation if most and solver.iteration in kept else None
        if due and (scores := _validated(net, due, most)):
            observer.point(solver.iteration, scores)
        shown, seen = len(history.rows), list[dict[str, Pixels]]()
        for place, example in enumerate(examples if solver.iteration in moments else ()):
            key = f"training/{place:02d}-{re.sub(r'[^0-9A-Za-z_.-]', '_', example.id)}"
            predicted = _predicted(net, example)
            observer.labels(solver.iteration, key, example.images[photo], example.labels, predicted, net.spec.heads)
            seen.append(predicted)
        truth = [example.labels for example in examples]
        alarm("labels", alarms.of_labels(solver.iteration, total, truth, seen, net.spec.heads))

    look()
    return look


def _validated(net: FCN | LateFCN, folder: Path, most: int) -> dict[str, float]:
    """By curve; none where the split is not here, is another one's, or the net diverged, of which training tells."""
    training = net.training
    try:
        split = Shards(folder, columns={*net.spec.inputs, *net.spec.heads}, verify=False)
        rows = sorted({k * len(split) // most for k in range(most)})
        return named(score(net, split, rows, next(net.parameters()).device))
    except Refusal:
        return {}
    finally:
        net.train(training)


@torch.inference_mode()
def _predicted(net: FCN | LateFCN, example: Example) -> dict[str, Pixels]:
    training, device = net.training, next(net.parameters()).device
    mean = torch.tensor(net.spec.mean, device=device).view(1, -1, 1, 1)
    scores = net.eval()(inputs.stack(example.images, net.spec.inputs, device) - mean)
    net.train(training)
    return {head: score.argmax(1)[0].to(torch.uint8).cpu().numpy() for head, score in scores.items()}
