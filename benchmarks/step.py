"""A training step of the full FCN-8s-VGG16 on one image, torchfcn and ours: python -m benchmarks.step.

Each side trains in a process of its own, for ours is held to AVX2 (``pipeline/determinism.py``) and torchfcn, as it
comes, is not. The check leads both nets, with equal weights, through one smaller image.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import click

from benchmarks._side import AS_IT_COMES, OURS, PINNED, SIDES, Work
from pipeline import determinism  # pins torch's kernels, so torch comes after it

# isort: split
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks import _rounds, _side
from benchmarks._rounds import Case, Goal, Timed
from pipeline.training.loss import cross_entropy
from stages._stage import Stage

SMALL = (120, 150)  # height and width of the image whose gradients are compared
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


def gradients(net: Callable[[Tensor], object], parameters: dict[str, Tensor], pixels: Tensor, label: Tensor) -> Found:
    """Scores and gradients of the summed loss, in float64 whatever they were computed in."""
    scores = net(pixels)
    scores = scores["semantic"] if isinstance(scores, dict) else scores
    assert isinstance(scores, Tensor)
    cross_entropy(scores, label, 255).backward()  # type: ignore[no-untyped-call]
    wanted = {name: parameter for name, parameter in parameters.items() if "upscore" not in name}  # fixed, in ours
    return scores.detach().double(), {name: p.grad.double() for name, p in wanted.items() if p.grad is not None}


def compared(work: Work) -> str:
    """How far ours lies from torchfcn in float64, and both in float32 from that: scores, then all gradients (l2)."""
    try:
        _side.torchfcn()
    except ModuleNotFoundError:
        return "not compared"
    small = replace(work, down=SMALL[0], across=SMALL[1])
    pixels, label = _side.made(small).sample(torch.device("cpu"))
    found = {}
    for kind in ("float64", "float32"):
        ours = _side.started(small).eval()
        theirs = _side.taken(ours).eval()
        for name, net in (("ours", ours), ("torchfcn", theirs)):
            of = net.double() if kind == "float64" else net
            named = {key.split(".", 1)[1] if name == "ours" else key: p for key, p in of.named_parameters()}
            found[name, kind] = gradients(of, named, pixels.double() if kind == "float64" else pixels, label)
    exact = found["torchfcn", "float64"]
    pairs = {
        "in float64": ("ours", "float64"),
        "in float32": ("ours", "float32"),
        "torchfcn's own": ("torchfcn", "float32"),
    }
    told = {name: apart(found[key], exact) for name, key in pairs.items()}
    return "scores and gradients from torchfcn's in float64: " + "; ".join(
        f"{name} {scores:.0e} and {steps:.0e}" for name, (scores, steps) in told.items()
    )


def apart(found: Found, exact: Found) -> tuple[float, float]:
    """Of the scores the largest difference by the largest score, of the gradients that of their lengths."""
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
