"""Every benchmark that runs unattended, one after another, each in a process of its own: python -m benchmarks."""

import json
import subprocess
import sys
import time
from pathlib import Path

import click

from benchmarks import _page, _rounds

NAMES = ("step", "reading", "histogram", "converting", "repro", "starting")


def ran(names: tuple[str, ...], results: Path, rounds: int | None) -> list[str]:
    """Run them; those that failed."""
    failed = []
    options = ["--results", str(results), *(["--rounds", str(rounds)] if rounds else [])]
    for place, name in enumerate(names, 1):
        began = time.monotonic()
        click.echo(f"{place} of {len(names)}: {name} …", err=True)
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}", *options],
            cwd=Path(__file__).parents[1],
            stdout=subprocess.DEVNULL,
            check=False,
        )
        click.echo(f"{name}: {time.monotonic() - began:.0f} s", err=True)
        failed += [name] if done.returncode else []
    return failed


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(NAMES), metavar="[NAMES…]")
@click.option("--rounds", type=click.IntRange(min=2), help="Instead of each benchmark's own number.")
@click.option("--results", type=click.Path(path_type=Path, file_okay=False), default=_rounds.RESULTS, hidden=True)
def main(names: tuple[str, ...], rounds: int | None, results: Path) -> None:
    """Run NAMES, or all, and print their tables; benchmarks/results holds them and what they were made from."""
    wanted = names or NAMES
    failed = ran(wanted, results.resolve(), rounds)
    for name in wanted:
        if name not in failed:
            click.echo(_page.tables(json.loads((results / f"{name}.json").read_text())))
    if failed:
        raise click.ClickException(f"{', '.join(failed)} failed: run python -m benchmarks.{failed[0]} to see why")


if __name__ == "__main__":
    main()
