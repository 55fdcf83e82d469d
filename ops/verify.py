"""Prove that dvc.lock can be had again, and keep the proofs in .verified/: fcn verify [STAGE…]."""

from __future__ import annotations

from pathlib import Path

import click

from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("stages", nargs=-1)
@click.option("--keep", is_flag=True, help="Leave the temporary workspace and tell where it lies.")
def main(stages: tuple[str, ...], keep: bool) -> None:
    """Run STAGES (without any, all of dvc.lock) again in a temporary workspace and compare with dvc.lock.

    What came out the same from inputs that are still dvc.lock's is proved: `fcn promote` asks for that.
    """
    from ops import _proof, _rerun, _workspace  # they load DVC and torch, which `fcn data` need not wait for

    root = Path.cwd()
    chosen = _rerun.choose(root, stages)
    same = True
    with _workspace.workspace(root, chosen, keep) as folder:
        for entry, verdict in zip(chosen, _rerun.rerun(root, folder, chosen), strict=True):
            click.echo(verdict)
            same &= verdict.outcome == _rerun.SAME
            if verdict.proves or verdict.outcome == _rerun.DIFFERS:
                _proof.keep(root, entry, verdict.proves)
    if keep:
        click.echo(f"kept {folder}")
    if not same:
        raise click.exceptions.Exit(1)


if __name__ == "__main__":
    main()
