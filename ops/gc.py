"""Find what takes space and nobody needs, and remove it: fcn gc [--dry-run | --yes]."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.core.types import Refusal
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.option("--dry-run", is_flag=True, help="List, ask nothing, remove nothing.")
@click.option("--yes", is_flag=True, help="Remove without asking.")
@click.option(
    "--keep-days", type=click.FloatRange(min=0), default=1.0, show_default=True, help="Leave what is younger."
)
@click.option("--server", is_flag=True, help="Also remove runs on the tracking server, which others use, too.")
def main(dry_run: bool, yes: bool, keep_days: float, server: bool) -> None:
    """List orphans, each with the reason, and remove them when you say so.

    In DVC's cache: what no dvc.lock of the work tree, a local branch, a tag or an experiment names. In MLflow: deleted
    runs, failed ones without a number, doubles, files without a run; never what a registered version or dvc.lock came
    from. Scratch: snapshots and spools that nobody goes on from, parts of downloads, outdated proofs, workspaces of
    `fcn verify`, copies of the database.
    """
    from ops._gc import orphans  # it loads DVC, torch and MLflow

    if dry_run and yes:
        raise Refusal("--dry-run removes nothing and --yes all: give one of them")
    root = Path.cwd()
    found = orphans.find(root, keep_days)
    for note in found.notes:
        click.echo(note, err=True)
    click.echo(orphans.told(found, keep_days))
    chosen = [each for each in found.orphans if each.ours or server]
    if dry_run or not chosen:
        return
    try:
        sure = yes or click.confirm(f"Remove {orphans.total('these', chosen)}?")
    except click.Abort:
        raise Refusal("nobody answered: --yes removes these, --dry-run only lists them") from None
    if sure:
        click.echo(orphans.total("removed", orphans.remove(root, chosen, keep_days)))


if __name__ == "__main__":
    main()
