"""Ask what would keep the pipeline from running here: fcn doctor."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ops._doctor import examine
from ops._doctor.finding import FIX
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("checks", nargs=-1, type=click.Choice(list(examine.CHECKS)), metavar="[CHECKS…]")
@click.option("--mend", is_flag=True, help="Take dead processes out of DVC's locks.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of {check, state, text}.")
def main(checks: tuple[str, ...], mend: bool, as_json: bool) -> None:
    """Look at this machine, the remotes and MLflow; exit 1 where anything is to be fixed.

    CHECKS are python, runtime, torch, git, disk, archives, locks, secrets, remote and mlflow: all, where none is named.
    Each line is ok; fix, with a remedy; note; or skip, of what is not set up. A remote has a small object written,
    read and deleted.
    """
    found = []
    for finding in examine.examine(Path.cwd(), checks, mend=mend):
        found.append(finding)
        if not as_json:
            click.echo(finding)
    if as_json:
        click.echo(json.dumps([finding.to_json() for finding in found], indent=2))
    if any(finding.state == FIX for finding in found):
        raise click.exceptions.Exit(1)


if __name__ == "__main__":
    main()
