"""Reproduce DVC's graph with several stages at once: what `fcn run` starts in a process group of its own."""

from __future__ import annotations

import logging
from pathlib import Path

import click


@click.command()
@click.option("--jobs", type=int)
@click.option("--gpus")
@click.option("--force", is_flag=True)
@click.option("--pull", is_flag=True)
@click.option("--allow-missing", is_flag=True)
@click.option("--keep-going", is_flag=True)
@click.argument("targets", nargs=-1)
def main(
    jobs: int | None,
    gpus: str | None,
    force: bool,
    pull: bool,
    allow_missing: bool,
    keep_going: bool,
    targets: tuple[str, ...],
) -> None:
    from dvc.exceptions import DvcException  # not above: a forked stage imports this module, and DVC takes a second
    from dvc.repo import Repo

    from ops._repro.reproduce import reproduce
    from ops._repro.slots import slots
    from ops._repro.stage_runner import StageRunner
    from pipeline.core.types import Refusal

    logging.getLogger("dvc").setLevel(logging.WARNING)  # a line for each stage that did not change, otherwise
    try:
        with Repo() as repo:
            runner = StageRunner(repo, force=force, pull=pull, allow_missing=allow_missing)
            click.echo(reproduce(Path.cwd(), targets, slots(jobs, gpus), runner, keep_going))
    except (DvcException, Refusal) as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
