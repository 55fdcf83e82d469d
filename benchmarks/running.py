"""What the whole miniature takes from nothing, and whose CPU seconds these are: python -m benchmarks.running.

Run it alone on the machine: it clones what is committed (or ``--revision``), runs `fcn run` there as `make repro` does,
MLflow included, and prints two lines of time and a table. The packages are this environment's.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import click
import psutil

from benchmarks import _machine, _world
from ops import _python

PERIOD = 0.1  # seconds between looks at the processes: what one uses after the last look at it is not counted
KINDS = (  # what a process is, by its command line or by the name that a forked stage gives itself
    (r"-m ops\.parallel", "fcn run: DVC's graph, hashes and locks"),
    (r"-m ops\.fcn run|fcn run", "fcn run: its guard"),
    (r"-m pipeline\.live\.follow", "follower: events to MLflow"),
    (r"-m stages\.(\w+)", r"\1"),
    (r"^(?!python)(\w+) .*forkserver", r"\1"),
    (r"forkserver", "forkserver: imports what stages share"),
    (r"resource_tracker", "fcn run: its guard"),
    (r"multiprocessing", "convert's pool"),
)


def kind(process: psutil.Process) -> str:
    """A forked stage bears the forkserver's command line, and its own name: ``train voc-fcn8s``; empty of the dead."""
    words = process.cmdline()
    text = f"{Path('/proc', str(process.pid), 'comm').read_text().strip()} {' '.join(words)}"
    for pattern, what in KINDS:
        if words and (found := re.search(pattern, text)):
            return found.expand(what)
    return ""


def watched(root: Path, command: list[str], environment: Mapping[str, str]) -> dict[str, list[float]]:
    """{kind: CPU seconds of each process} of ``command`` and of all that works for ``root``, until none is left."""
    spent: dict[tuple[int, float], tuple[str, float]] = {}
    running = subprocess.Popen(command, cwd=root, env=environment)
    alive = True
    while alive:
        alive = running.poll() is None
        for process in psutil.process_iter():
            try:
                if process.pid == os.getpid() or Path(process.cwd()) != root:
                    continue
                alive |= process.status() != psutil.STATUS_ZOMBIE
                times = process.cpu_times()
                key = process.pid, process.create_time()
                before = spent.get(key, ("other", 0.0))[0]
                spent[key] = (kind(process) or before, times.user + times.system)
            except (psutil.Error, OSError):
                continue
        time.sleep(PERIOD)
    found: dict[str, list[float]] = defaultdict(list)
    for what, seconds in spent.values():
        found[what].append(seconds)
    return found


@click.command()
@click.option("--revision", default="HEAD", show_default=True, help="What to measure: a commit of this repository.")
def main(revision: str) -> None:
    """Run the pipeline of REVISION from nothing and print where the time went."""
    with tempfile.TemporaryDirectory() as folder:
        root = _world.clone(Path(folder, "clone").resolve())
        subprocess.run(["git", "checkout", "-q", revision], cwd=root, check=True)
        other = ("DVC_", "MLFLOW_", "FCN_", "PYTHONDONTWRITEBYTECODE")  # the last as in the Makefile
        kept = {name: value for name, value in os.environ.items() if not name.startswith(other)}
        environment = _python.first({**kept, "PYTHONPATH": str(root), "DVC_NO_ANALYTICS": "1"})
        call, began = [sys.executable, "-m", "ops.fcn", "run"], time.monotonic()
        found = watched(root, call, environment)
        wall = time.monotonic() - began
        again = time.monotonic()
        subprocess.run(call, cwd=root, env=environment, check=True)
        again = time.monotonic() - again
    total = sum(map(sum, found.values()))
    click.echo(f"\n{_machine.line(_machine.kind())}\n")
    click.echo(
        f"{wall:.0f} s, {total:.0f} s of CPU, {total / wall:.2f} cores busy; again, with nothing to do: {again:.1f} s"
    )
    click.echo("\n| what | processes | CPU s |\n|---|--:|--:|")
    for what, seconds in sorted(found.items(), key=lambda row: -sum(row[1])):
        click.echo(f"| {what} | {len(seconds)} | {sum(seconds):.0f} |")


if __name__ == "__main__":
    main()
