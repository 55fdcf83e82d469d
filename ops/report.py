"""Show what the nets reached, and what that took here: fcn report [--open]."""

import webbrowser
from pathlib import Path

import click

from ops import _journal, _nets
from pipeline.core import files
from pipeline.core.types import Refusal
from pipeline.tables import duration
from stages.shared.dvc import entries
from stages.shared.stage import Stage

RESULTS = Path("results")
STAGES = ("train", "validate", "evaluate", "evaluate-import", "evaluate-pick")


@click.command(cls=Stage)
@click.option("--out", type=click.Path(path_type=Path), default=Path("report.html"), show_default=True)
@click.option("--open", "shown", is_flag=True, help="Show it in the browser.")
def main(out: Path, shown: bool) -> None:
    """Write results/report.html once more, into OUT, with the seconds that `fcn run` counted for each net.

    Times are no result, so they lie outside dvc.lock.
    """
    _nets.writable(out, ".html")
    for name in ("report.html", "report.md"):
        if not (RESULTS / name).is_file():
            raise Refusal(f"{RESULTS / name} is not here: fcn run report makes it, dvc pull {RESULTS / name} brings it")
    if out.resolve().is_relative_to(RESULTS.resolve()):
        raise Refusal(f"{out} is among the results, which have no times in them: name a file outside {RESULTS}/")
    from pipeline.report.figures import FOLDER, as_html  # matplotlib
    from pipeline.report.report import TABLES

    wanted = {stage for stage in entries(Path()) if stage.partition("@")[0] in STAGES}
    scale = _journal.scale(Path())
    found = {line.stage: line for line in _journal.read(Path()) if line.stage in wanted and line.scale == scale}
    before, heading, after = (RESULTS / "report.md").read_text(encoding="utf-8").partition(TABLES)
    files.write_text(out, as_html("".join([before, _section(found), heading, after]), RESULTS / FOLDER))
    click.echo(f"{out}: stages whose cost is known: {len(found)}")
    if shown:
        webbrowser.open(out.resolve().as_uri())


def _section(found: dict[str, _journal.Line]) -> str:
    """Markdown, a row a stage in the ladder's order."""
    from pipeline.published import ladder
    from pipeline.report import page

    def place(stage: str) -> tuple[object, ...]:
        kind, _, recipe = stage.partition("@")
        return ladder.place(recipe), kind != "train"

    rows = [[stage, duration(found[stage].seconds), duration(found[stage].cpu)] for stage in sorted(found, key=place)]
    text = f"As {_journal.NAME} has it of the last run of each stage here: seconds by the clock and of the processors."
    table = page.table(["stage"], ["wall time", "CPU time"], rows) if rows else "None of these stages ran here."
    return f"## What it cost here\n\n{text} MLflow has the machine's load.\n\n{table}\n\n"
