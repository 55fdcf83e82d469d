"""A training step of the full FCN-8s-VGG16 on one image, torchfcn and ours: python -m benchmarks.step.

Each side trains in a process of its own, for ours is held to AVX2 (``pipeline.determinism``), torchfcn, as it
comes, is not. That ours computes what the authors' nets do, tests/released shows.
"""

import os
import subprocess
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import click

import pipeline
from benchmarks import _rounds
from benchmarks._rounds import Case, Goal, Timed
from benchmarks._side import AS_IT_COMES, OURS, PINNED, SIDES, Work
from stages.shared.stage import Stage


def unpinned() -> dict[str, str]:
    """This process's environment without the pins that importing ``determinism`` put there; a side sets its own."""
    return {name: value for name, value in os.environ.items() if name not in pipeline.PINS}


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
    with ExitStack() as children:
        _rounds.run("step", cases(work, children), rounds=rounds, results=results, data="An image of noise")


if __name__ == "__main__":
    main()
