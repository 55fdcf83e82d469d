"""What DVC and fcn cost where nothing runs, and where one stage does: python -m benchmarks.repro."""

import tempfile
from functools import partial
from pathlib import Path

import click

from benchmarks import _rounds, _world
from benchmarks._rounds import Case, Goal, Sides, Timed
from stages.shared.stage import Stage

STAGE = "leaks"
IMAGES = 20  # of each split
PLAN = "fcn plan"


def ran(root: Path, *words: str) -> Timed:
    """A call that runs ``python -m words`` there."""
    return lambda: _world.command(root, *words)


def nothing(root: Path) -> Case:
    """Everything stands."""
    peers: Sides = {
        "dvc repro": partial(ran, root, "dvc", "repro"),
        "dvc status": partial(ran, root, "dvc", "status"),
    }
    ours: Sides = {"fcn run": partial(ran, root, "ops.fcn", "run"), PLAN: partial(ran, root, "ops.fcn", "plan")}
    return Case(
        title=f"nothing to do, {_world.stages(root)} stages",
        peers=peers,
        ours=ours,
        goals=[
            Goal(text="seconds of fcn run over dvc repro ≤ 2", ours="fcn run", peers=("dvc repro",), seconds=2),
            Goal(text="seconds of fcn plan over dvc repro ≤ 1", ours=PLAN, peers=("dvc repro",), seconds=1),
        ],
    )


def one(root: Path) -> Case:
    """One stage, again and again; its outputs come out the same, so nothing after it runs."""
    alone, under = f"{STAGE} without DVC", f"dvc repro -sf {STAGE}"
    fcn = f"fcn run -sf {STAGE}"
    return Case(
        title="one stage",
        peers={alone: partial(ran, root, f"stages.{STAGE}"), under: partial(ran, root, "dvc", "repro", "-sf", STAGE)},
        ours={fcn: partial(ran, root, "ops.fcn", "run", "-s", "-f", STAGE)},
        goals=[Goal(text="seconds of fcn run over the stage alone ≤ 4", ours=fcn, peers=(alone,), seconds=4)],
    )


def all_of_it(root: Path) -> Case:
    """The committed pipeline in a clone that has no data, as CI plans it; DVC alone cannot look at publish there."""
    dry = "dvc repro --dry --allow-missing report"
    return Case(
        title=f"planned without data, {_world.stages(root)} stages",
        peers={dry: partial(ran, root, *dry.split())},
        ours={PLAN: partial(ran, root, "ops.fcn", "plan", "--allow-missing")},
        goals=[Goal(text=f"seconds of fcn plan over {dry} ≤ 1", ours=PLAN, peers=(dry,), seconds=1)],
    )


@click.command(cls=Stage)
@_rounds.options(rounds=3)
def main(rounds: int, results: Path) -> None:
    """Measure and write repro.json."""
    with tempfile.TemporaryDirectory() as folder:
        root = _world.small(Path(folder, "small"), IMAGES)
        cases = [nothing(root), one(root), all_of_it(_world.clone(Path(folder, "whole")))]
        data = f"Real stages on miniature VOC, {IMAGES} images a split, and a clone of this repository"
        _rounds.run("repro", cases, rounds=rounds, results=results, data=data)


if __name__ == "__main__":
    main()
