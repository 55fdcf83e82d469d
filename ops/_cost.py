"""The report's page with one more section: what its nets took here. It is no result, so it lies outside dvc.lock."""

from __future__ import annotations

from pathlib import Path

from ops import _journal
from ops._amount import duration
from pipeline.core import files
from pipeline.core.types import Refusal
from pipeline.published import ladder
from pipeline.report import page
from pipeline.report.figures import FOLDER, as_html
from pipeline.report.report import TABLES
from stages.shared.dvc import entries

RESULTS = Path("results")
STAGES = ("train", "validate", "evaluate", "evaluate-import", "evaluate-pick")


def write(root: Path, out: Path) -> int:
    """Write ``out`` from ``root``/results and the journal of runs, and return of how many stages it knows the cost.

    Raises Refusal where there is no page yet, and where ``out`` is one of the results.
    """
    for name in ("report.html", "report.md"):
        if not (root / RESULTS / name).is_file():
            raise Refusal(f"{RESULTS / name} is not here: fcn run report makes it, dvc pull {RESULTS / name} brings it")
    if out.resolve().is_relative_to((root / RESULTS).resolve()):
        raise Refusal(f"{out} is among the results, which have no times in them: name a file outside {RESULTS}/")
    wanted = {stage for stage in entries(root) if stage.partition("@")[0] in STAGES}
    scale = _journal.scale(root)
    found = {line.stage: line for line in _journal.read(root) if line.stage in wanted and line.scale == scale}
    before, heading, after = (root / RESULTS / "report.md").read_text(encoding="utf-8").partition(TABLES)
    text = as_html("".join([before, *_section(found), heading, after]), root / RESULTS / FOLDER)
    with files.replacing(out) as scratch:
        scratch.write_text(text, encoding="utf-8")
    return len(found)


def _section(found: dict[str, _journal.Line]) -> list[str]:
    """Markdown, a row a stage in the ladder's order."""
    rows = [[stage, duration(found[stage].seconds), duration(found[stage].cpu)] for stage in sorted(found, key=_place)]
    text = f"As {_journal.NAME} has it of the last run of each stage here: seconds by the clock and of the processors."
    table = page.table(["stage"], ["wall time", "CPU time"], rows) if rows else "None of these stages ran here."
    return ["## What it cost here\n\n", f"{text} MLflow has the machine's load.\n\n", f"{table}\n\n"]


def _place(stage: str) -> tuple[object, ...]:
    kind, _, recipe = stage.partition("@")
    return ladder.place(recipe), kind != "train"
