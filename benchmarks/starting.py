"""Until a stage's own work begins, beside importing torch: python -m benchmarks.starting.

That is Python, the imports of the stage's closure, the declared params and determinism.
"""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import click

from benchmarks import _rounds
from benchmarks._rounds import Case, Goal, Sides, Timed
from benchmarks._world import ROOT
from stages.shared import dvc
from stages.shared.stage import Stage

TORCH = "import torch"
START = """
import importlib, sys
name, key = sys.argv[1:]
stage = importlib.import_module("stages." + name.replace("-", "_"))
if hasattr(stage, "declared"):
    params = stage.declared(f"{name}@{key}" if key else name)
    if hasattr(stage, "determinism"):
        stage.determinism.start(params["runtime"])
"""


def firsts(root: Path) -> dict[str, str]:
    """Each stage that params.yaml has a row for, with the first row's key; "" where it has no rows."""
    found: dict[str, str] = {}
    for address in dvc.stages(root):
        name, _, key = address.partition("@")
        if (root / "stages" / f"{name.replace('-', '_')}.py").exists():  # describe-folder is describe
            found.setdefault(name, key)
    return found


def started(*words: str) -> Timed:
    """A call that starts a fresh Python, which ends where work would begin; CalledProcessError where it fails."""
    environment = {**os.environ, "FCN_TRACKING": "off", "PYTHONPATH": str(ROOT)}
    call = partial(subprocess.run, [sys.executable, *words], cwd=ROOT, env=environment, check=True)
    return partial(call, capture_output=True)


def cases(root: Path) -> list[Case]:
    """One, of all stages; a goal each."""
    words = {name: ("-c", START, name, key) for name, key in firsts(root).items()}
    ours: Sides = {name: partial(started, *told) for name, told in words.items()}
    goals = [Goal(text=f"{name} ≤ {TORCH} + 2 s", ours=name, peers=(TORCH,), seconds=2) for name in words]
    return [
        Case(
            title="a fresh process",
            peers={"python": partial(started, "-c", "pass"), TORCH: partial(started, "-c", TORCH)},
            ours=ours,
            goals=goals,
        )
    ]


@click.command(cls=Stage)
@_rounds.options(rounds=3)
def main(rounds: int, results: Path) -> None:
    """Measure and write starting.json."""
    _rounds.run("starting", cases(ROOT), rounds=rounds, results=results, data="The committed params.yaml")


if __name__ == "__main__":
    main()
