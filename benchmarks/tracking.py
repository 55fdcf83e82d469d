"""What watching a training costs, with a server and with a dead one: python -m benchmarks.tracking voc-fcn32s.

Run it where `dvc repro` has been: it trains RECIPE again and again, alone on the machine, into its own `runs/` (the
bytes are the same), and leaves MLflow as it was.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import click

DEAD = "http://127.0.0.1:9"  # the discard port: nobody listens


def modes(store: Path) -> dict[str, dict[str, str]]:
    """The environments side by side."""
    return {
        "off": {"FCN_TRACKING": "off"},
        "live": {"FCN_TRACKING": "live", "MLFLOW_TRACKING_URI": f"sqlite:///{store}"},
        "dead server": {"FCN_TRACKING": "live", "MLFLOW_TRACKING_URI": DEAD},
    }


def trained(recipe: str, folder: Path, environment: dict[str, str]) -> tuple[float, float]:
    """Wall seconds of one training, and the processor seconds of its own process."""
    command = [sys.executable, "-m", "stages.train", recipe]
    places = {"FCN_SPOOL": str(folder / "spool"), "FCN_SNAPSHOTS": str(folder / "snapshots")}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, env={**os.environ, **environment, **places}, stdout=subprocess.DEVNULL, check=True)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@click.command()
@click.argument("recipe")
@click.option("--repeats", type=click.IntRange(min=1), default=3, show_default=True)
def main(recipe: str, repeats: int) -> None:
    """Train RECIPE in turn unwatched, watched, and watched with a server that does not answer; medians."""
    with tempfile.TemporaryDirectory() as scratch:
        found: dict[str, list[tuple[float, float]]] = {}
        for repeat in range(repeats):
            for mode, environment in modes(Path(scratch, "mlflow.db")).items():
                folder = Path(scratch, f"{mode} {repeat}")
                found.setdefault(mode, []).append(trained(recipe, folder, environment))
                time.sleep(12)  # the follower of this one sends, gives up and ends before the next begins
                shutil.rmtree(folder, ignore_errors=True)
    wall = {mode: median(seconds for seconds, _ in rows) for mode, rows in found.items()}
    cpu = {mode: median(seconds for _, seconds in rows) for mode, rows in found.items()}
    click.echo("| tracking | wall s | of off | CPU s of the stage | of off |\n|---|--:|--:|--:|--:|")
    for mode in found:
        shares = f"{wall[mode] / wall['off']:.3f} | {cpu[mode]:.1f} | {cpu[mode] / cpu['off']:.3f}"
        click.echo(f"| {mode} | {wall[mode]:.1f} | {shares} |")


if __name__ == "__main__":
    main()
