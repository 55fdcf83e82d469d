"""Until a stage's own work begins, beside importing torch: python -m benchmarks.starting.

That is Python, the imports of the stage's closure, the declared params, and determinism or the versions' check.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click
import yaml

from benchmarks import _rounds
from benchmarks._rounds import Case, Goal, Sides, Timed
from benchmarks._world import ROOT
from stages.shared.stage import Stage

TORCH = "import torch"
OFFENDERS = 4  # modules to name, the slowest to import first
START = """
import importlib, sys
name, key = sys.argv[1:]
stage = importlib.import_module("stages." + name.replace("-", "_"))
if hasattr(stage, "declared"):
    params = stage.declared(name, key or None)
    if hasattr(stage, "determinism"):
        stage.determinism.start(params["runtime"])
    elif hasattr(stage, "versions"):
        stage.versions.check(params["runtime"])
"""


def stages(root: Path) -> dict[str, str]:
    """Each stage of dvc.yaml that params.yaml has a row for, with the first row's key; "" where it has no rows.

    describe-folder is describe; bounds takes a folder.
    """
    declared = yaml.safe_load((root / "dvc.yaml").read_text())["stages"]
    params = yaml.safe_load((root / "params.yaml").read_text())
    found = {}
    for name, body in declared.items():
        group = body.get("foreach", "").strip("${}")
        rows: dict[str, Any] = params.get(group) or {}
        if (root / "stages" / f"{name.replace('-', '_')}.py").exists() and (rows or not group):
            found[name] = next(iter(rows), "")
    return found


def python(*words: str) -> str:
    """What a fresh Python says on stderr. Raises CalledProcessError where it fails."""
    environment = {**os.environ, "FCN_TRACKING": "off", "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return ran.stderr


def started(*words: str) -> Timed:
    """A call that starts a fresh Python, which ends where work would begin."""
    return lambda: python(*words)


def offenders(*words: str) -> str:
    """The packages that took longest to import, each with all that it alone imports, in ms (-X importtime)."""
    took: dict[str, int] = {}
    for line in python("-X", "importtime", *words).splitlines():
        own, _, name = line.removeprefix("import time:").partition("|")[0].strip(), "", line.rpartition("|")[2].strip()
        if own.isdigit():
            top = name.split(".")[0]
            took[top] = took.get(top, 0) + int(own)
    slowest = sorted(took, key=lambda top: -took[top])[:OFFENDERS]
    return ", ".join(f"{top} {took[top] / 1e3:.0f}" for top in slowest)


def cases(root: Path) -> list[Case]:
    """One, of all stages; a goal each."""
    words = {name: ("-c", START, name, key) for name, key in stages(root).items()}
    ours: Sides = {name: partial(started, *told) for name, told in words.items()}
    goals = [Goal(text=f"{name} ≤ {TORCH} + 2 s", ours=name, peers=(TORCH,), seconds=2) for name in words]
    return [
        Case(
            title="a fresh process",
            peers={"python": partial(started, "-c", "pass"), TORCH: partial(started, "-c", TORCH)},
            ours=ours,
            goals=goals,
            notes={name: partial(offenders, *told) for name, told in words.items()},
        )
    ]


@click.command(cls=Stage)
@_rounds.options(rounds=3)
def main(rounds: int, results: Path) -> None:
    """Measure and write starting.json; the last column says which packages took so many ms to import."""
    data = "The committed params.yaml; beside each stage the packages slowest to import, ms each"
    _rounds.run("starting", cases(ROOT), rounds=rounds, results=results, data=data)


if __name__ == "__main__":
    main()
