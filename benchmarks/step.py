"""A training step of the full FCN-8s-VGG16 on one image, torchfcn and ours: python -m benchmarks.step.

Each side trains in a process of its own, for ours is held to AVX2 (``pipeline.determinism``), torchfcn, as it
comes, is not. The check leads both nets, with equal weights, through smaller images.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from statistics import median

import click

from benchmarks._side import AS_IT_COMES, OURS, PINNED, SIDES, Work
from pipeline import determinism

# isort: split
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks import _rounds, _side
from benchmarks._rounds import Case, Goal, Timed
from pipeline.training.loss import cross_entropy
from stages.shared.stage import Stage

SMALL = (120, 150)  # height and width of the images whose gradients are compared
DRAWS = 5  # of them: how many units lie on ReLU's corner differs from one image to the next, and the gradients with it
KINDS = {"in float64": (OURS, True), "in float32": (OURS, False), "torchfcn's own": (AS_IT_COMES, False)}
Found = tuple[Tensor, dict[str, Tensor]]


def unpinned() -> dict[str, str]:
    """This process's environment without the pins that importing ``determinism`` put there; a side sets its own."""
    return {name: value for name, value in os.environ.items() if name not in determinism.PINS}


def side(name: str, work: Work, children: ExitStack) -> Timed:
    """Start the process of ``name``; a call is one iteration there. Raises RuntimeError with what it says instead.

    It ends when ``children`` are left.
    """
    options = [f"--{key}={getattr(work, key)}" for key in ("down", "across", "width", "threads")]
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "benchmarks._side", name, *options],
        cwd=Path(__file__).parents[1],
        env=unpinned(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    child = children.enter_context(process)
    assert child.stdin is not None
    assert child.stdout is not None
    asked, said = child.stdin, child.stdout

    def heard(word: str) -> None:
        line = said.readline().strip()
        if line != word:
            raise RuntimeError(line or f"the process of {name} ended")

    def step() -> None:
        asked.write("\n")
        heard("done")

    heard("ready")
    return step


def compared(work: Work) -> str:
    """How far ours lies from torchfcn in float64, and both in float32 from that: scores, then all gradients (l2).

    Medians over ``DRAWS`` images. Four nets of VGG16's size and their gradients take 7 GB.
    """
    try:
        _side.torchfcn()
    except ModuleNotFoundError:
        return "not compared"
    small = replace(work, down=SMALL[0], across=SMALL[1])
    nets = {(side, double): net(small, side, double) for side in (AS_IT_COMES, OURS) for double in (True, False)}
    exact = nets.pop((AS_IT_COMES, True))
    found: dict[tuple[str, bool], list[tuple[float, float]]] = {key: [] for key in nets}
    for draw in range(1, DRAWS + 1):
        pixels, label = _side.made(small).sample(torch.device("cpu"), draw)
        true = gradients(exact, pixels, label)
        for key, of in nets.items():
            found[key].append(apart(gradients(of, pixels, label), true))
    told = [
        f"{name} {median(scores for scores, _ in found[key]):.0e} and {median(steps for _, steps in found[key]):.0e}"
        for name, key in KINDS.items()
    ]
    return "scores and gradients from torchfcn's in float64: " + "; ".join(told)


def net(work: Work, side: str, double: bool) -> nn.Module:
    """The net of either side with the same weights, without dropout."""
    ours = _side.started(work).eval()
    found: nn.Module = ours if side == OURS else _side.taken(ours).eval()
    return found.double() if double else found


def gradients(of: nn.Module, pixels: Tensor, label: Tensor) -> Found:
    """Scores and gradients of the summed loss, by the names that both sides share: the layer's and the parameter's."""
    of.zero_grad()
    scores = of(pixels.to(next(of.parameters())))
    scores = scores["semantic"] if isinstance(scores, dict) else scores
    assert isinstance(scores, Tensor)
    cross_entropy(scores, label, 255).backward()  # type: ignore[no-untyped-call]
    wanted = {name: p for name, p in of.named_parameters() if "upscore" not in name}  # fixed, in ours
    return scores.detach(), {".".join(name.split(".")[-2:]): p.grad for name, p in wanted.items() if p.grad is not None}


def apart(found: Found, exact: Found) -> tuple[float, float]:
    """Of the scores the largest difference by the largest score, of the gradients that of their lengths."""
    assert found[1].keys() == exact[1].keys()
    scores = float((found[0] - exact[0]).abs().max() / exact[0].abs().max())
    difference = sum(float((found[1][name] - gradient).square().sum()) for name, gradient in exact[1].items())
    return scores, (difference / sum(float(gradient.square().sum()) for gradient in exact[1].values())) ** 0.5


def cases(work: Work, children: ExitStack) -> list[Case]:
    sides = {name: partial(side, name, work, children) for name in SIDES}
    return [
        Case(
            title=f"{work.across}×{work.down} px, batch 1, float32, {work.threads} threads",
            peers={name: sides[name] for name in (AS_IT_COMES, PINNED)},
            ours={OURS: sides[OURS]},
            goals=[
                Goal(text="ours ≥ 1.5 × torchfcn as it comes", ours=OURS, peers=(AS_IT_COMES,), times=1.5),
                Goal(text="ours ≥ 2 × torchfcn held to the same kernels", ours=OURS, peers=(PINNED,), times=2),
            ],
            notes={OURS: partial(compared, work)},
        )
    ]


@click.command(cls=Stage)
@_rounds.options(rounds=5)
@click.option("--threads", type=click.IntRange(min=1), default=Work.threads, show_default=True)
@click.option("--down", type=click.IntRange(min=32), default=Work.down, hidden=True)
@click.option("--across", type=click.IntRange(min=32), default=Work.across, hidden=True)
@click.option("--width", type=float, default=Work.width, hidden=True)
def main(rounds: int, results: Path, **options: Any) -> None:
    """Measure and write step.json."""
    work = Work(**options)
    torch.set_num_threads(work.threads)
    with ExitStack() as children:
        _rounds.run("step", cases(work, children), rounds=rounds, results=results, data="An image of noise")


if __name__ == "__main__":
    main()
