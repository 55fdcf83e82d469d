"""Show what the nets reached, and what that took here: fcn report [--open]."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from ops import _nets
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.option("--out", type=click.Path(path_type=Path), default=Path("report.html"), show_default=True)
@click.option("--open", "shown", is_flag=True, help="Show it in the browser.")
def main(out: Path, shown: bool) -> None:
    """Write results/report.html once more, into OUT, with the seconds that `fcn run` counted for each net."""
    _nets.writable(out, ".html")
    from ops import _cost  # it loads what draws the page

    known = _cost.write(Path(), out)
    click.echo(f"{out}: stages whose cost is known: {known}")
    if shown:
        webbrowser.open(out.resolve().as_uri())
