"""Keep what was made, also of a run that failed: fcn ci push."""

from __future__ import annotations

import subprocess
import sys

import click

from stages.shared.stage import Stage


@click.command(cls=Stage)
def main() -> None:
    """Send MLflow what it did not hear yet, and the DVC remote all that dvc.lock and the cache of runs name.

    The cache of runs brings back, on any machine, each stage that a failed or cancelled run had finished.
    """
    if subprocess.run([sys.executable, "-m", "ops.fcn", "sync"], check=False).returncode:
        click.echo("MLflow has not heard all: fcn sync sends the rest when it answers", err=True)
    done = subprocess.run([sys.executable, "-m", "dvc", "push", "--run-cache"], check=False)
    raise click.exceptions.Exit(done.returncode)
