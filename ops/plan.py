"""Tell what `fcn run` would do, why, how long it takes and what it pulls: fcn plan."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from pathlib import Path

import click

from pipeline.core.types import Refusal
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("stages", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="All of it, as one JSON object.")
@click.option("--markdown", "as_markdown", is_flag=True, help="A table for a pull request.")
@click.option(
    "--allow-missing/--no-allow-missing",
    default=None,
    help="Whether to run nothing merely because files are not here, as fcn run --pull --allow-missing; "
    "by default where an output is neither here nor in DVC's cache.",
)
def main(stages: tuple[str, ...], as_json: bool, as_markdown: bool, allow_missing: bool | None) -> None:
    """Tell what `fcn run` would do for STAGES, or for all of dvc.yaml; nothing runs, and nothing is pulled.

    What is not up to date will run, be restored from DVC's cache of runs, or may run: if a stage before it writes other
    bytes than before.
    """
    from dvc.exceptions import NotDvcRepoError  # DVC loads in a second, which `fcn --help` need not wait for

    from ops._plan import page
    from ops._plan.plan import plan

    logging.getLogger("dvc").setLevel(logging.ERROR)
    try:
        found = plan(Path.cwd(), stages, allow_missing)
    except NotDvcRepoError as error:
        raise Refusal(f"{error}: go to the clone's folder") from None
    if as_json:
        totals = {"pulls": found.pulls, "seconds": found.seconds, "untimed": found.untimed}
        click.echo(json.dumps({**asdict(found), **totals}, indent=1, ensure_ascii=False))
    else:
        click.echo(page.markdown(found) if as_markdown else "\n".join(page.lines(found)))


if __name__ == "__main__":
    main()
