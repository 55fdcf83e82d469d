"""Ask whether a recipe's weights may be promoted: fcn gate RECIPE."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from stages.shared.stage import Stage

FRACTION = click.FloatRange(0, 1, max_open=True)


@click.command(cls=Stage)
@click.argument("recipe")
@click.option("--first", is_flag=True, help="Judge as if there were no champion; no registry is asked.")
@click.option("--floor", type=FRACTION, help="Least mean IU; else conf/gate.yaml's, as the next two.")
@click.option("--tolerance", type=FRACTION, help="Mean IU that may be lost to the champion.")
@click.option("--class-drop", type=FRACTION, help="IU that one class may lose to it.")
def main(recipe: str, first: bool, **options: float | None) -> None:
    """Judge eval/RECIPE/metrics.json by conf/gate.yaml and beside the champion; exit 1 where it fails.

    Writes gate/RECIPE.json, which nobody trusts: `fcn promote` judges anew.
    """
    from ops import _candidate  # the next imports take seconds, which `fcn data` need not wait for
    from pipeline import gate, thresholds
    from pipeline.core import files

    root = Path.cwd()
    candidate = _candidate.read(root, recipe)
    asked = thresholds.read(root / "conf/gate.yaml", candidate.scale, candidate.dataset)
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    champion = None
    if not first:
        from pipeline.tracking import registry

        champion = registry.champion(registry.ask(root)[0], candidate.model)
    verdict, found = _candidate.judged(root, candidate, replace(asked, **given), champion)
    files.write_json(root / "gate" / f"{recipe}.json", found)
    click.echo(gate.table(found["checks"]))
    beside = f"version {champion.version}, the champion" if champion else "no champion"
    click.echo(f"{recipe} {'passes' if verdict.passed else 'FAILS'} as {candidate.model}, beside {beside}")
    if not verdict.passed:
        raise click.exceptions.Exit(1)
