"""Prove that dvc.lock can be had again, and keep the proofs in .verified/: fcn verify [STAGE…]."""

from __future__ import annotations

import platform
from pathlib import Path

import click

import pipeline
from pipeline import proof
from stages.shared.dvc import Entry
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("stages", nargs=-1)
@click.option("--keep", is_flag=True, help="Leave the temporary workspace and tell where it lies.")
def main(stages: tuple[str, ...], keep: bool) -> None:
    """Run STAGES (without any, all of dvc.lock) again in a temporary workspace and compare with dvc.lock.

    What came out the same from inputs that are still dvc.lock's is proved: `fcn promote` asks for that.
    """
    from ops import _rerun, _workspace  # they load DVC, which `fcn data` need not wait for

    root = Path.cwd()
    chosen = _rerun.choose(root, stages)
    same = True
    with _workspace.workspace(root, chosen, keep) as folder:
        for entry, verdict in zip(chosen, _rerun.rerun(root, folder, chosen), strict=True):
            click.echo(verdict)
            same &= verdict.outcome == _rerun.SAME
            if verdict.proves:
                _prove(root, entry)
            elif verdict.outcome == _rerun.DIFFERS:
                proof.withdraw(root, entry.stage)
    if keep:
        click.echo(f"kept {folder}")
    if not same:
        raise click.exceptions.Exit(1)


def _prove(root: Path, entry: Entry) -> None:
    """Write the proof of ``entry``, with the kind of processor that its stage computes on."""
    from stages.shared.fingerprint import kind

    assert not pipeline.UNPINNED  # torch comes after it
    import torch

    versions = {"torch": torch.__version__, "python": platform.python_version()}
    processor = kind(torch.device(entry.params.get("runtime.device", "cpu")))
    same = proof.Proof(stage=entry.stage, inputs=entry.inputs, outputs=entry.outputs, processor=processor, **versions)
    proof.write(root, same)
