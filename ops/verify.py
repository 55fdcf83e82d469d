"""Prove that dvc.lock can be had again: fcn verify [STAGE…]."""

from __future__ import annotations

from pathlib import Path

import click

from stages._stage import Stage


@click.command(cls=Stage)
@click.argument("stages", nargs=-1)
@click.option("--keep", is_flag=True, help="Leave the temporary workspace and tell where it lies.")
def main(stages: tuple[str, ...], keep: bool) -> None:
    """Run STAGES (without any, all of dvc.lock) again in a temporary workspace and compare with dvc.lock."""
    from ops import _rerun, _workspace  # they load DVC, 0.8 s that `fcn data` need not wait

    root = Path.cwd()
    chosen = _rerun.choose(root, stages)
    same = True
    with _workspace.workspace(root, chosen, keep) as folder:
        for verdict in _rerun.rerun(root, folder, chosen):
            click.echo(verdict)
            same &= verdict.outcome == _rerun.SAME
    if keep:
        click.echo(f"kept {folder}")
    if not same:
        raise click.exceptions.Exit(1)


if __name__ == "__main__":
    main()
