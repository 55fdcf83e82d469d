"""The report's page with one more section: what its nets took here. It is no result, so it lies outside dvc.lock."""

from __future__ import annotations

from pathlib import Path

from ops._amount import duration, size
from pipeline.core import files
from pipeline.core.types import Refusal
from pipeline.published import ladder
from pipeline.report import html, page
from pipeline.report.figures import FOLDER
from pipeline.report.report import TABLES
from pipeline.tracking.took import Took, took
from stages._records import identity
from stages.shared.dvc import entries

RESULTS = Path("results")
STAGES = ("train", "evaluate", "evaluate-import")
HEADS = ["wall time", "images/s", "memory of the machine", "of its GPUs", "kWh of its GPUs"]


def write(root: Path, out: Path) -> int:
    """Write ``out`` from ``root``/results and the tracking server, and return how many stages have their costs told.

    Raises Refusal where there is no page yet, where ``out`` is one of the results, and as the tracking server does.
    """
    for name in ("report.html", "report.md"):
        if not (root / RESULTS / name).is_file():
            raise Refusal(f"{RESULTS / name} is not here: fcn run report makes it, dvc pull {RESULTS / name} brings it")
    if out.resolve().is_relative_to((root / RESULTS).resolve()):
        raise Refusal(f"{out} is among the results, which have no times in them: name a file outside {RESULTS}/")
    told = {entry.stage: entry for entry in entries(root).values() if entry.stage.partition("@")[0] in STAGES}
    found = took(root, [identity(entry) for entry in told.values()])
    before, heading, after = (root / RESULTS / "report.md").read_text(encoding="utf-8").partition(TABLES)
    text = html.page("".join([before, *section(found), heading, after]), root / RESULTS / FOLDER)
    with files.replacing(out) as scratch:
        scratch.write_text(text, encoding="utf-8")
    return len(found)


def section(found: dict[str, Took]) -> list[str]:
    """Markdown, a row a stage in the ladder's order."""
    rows = [_row(stage, found[stage]) for stage in sorted(found, key=_place)]
    told = (
        "As MLflow's runs of these very results tell it: the time from a stage's first event to its last (a pause in "
        "between included), the mean of its images per second, the most memory that the whole machine used, and what "
        "the GPUs drew. A dash is what the device did not tell; other work beside it counts."
    )
    nothing = "No run of these results was live on this tracking server, so nobody knows."
    table = page.table(["stage", "machine"], HEADS, rows) if rows else nothing
    return ["## What it cost here\n\n", f"{told}\n\n", f"{table}\n\n"]


def _place(stage: str) -> tuple[object, ...]:
    kind, _, recipe = stage.partition("@")
    return ladder.place(recipe), kind != "train"


def _row(stage: str, one: Took) -> list[str]:
    amounts = [None if mega is None else size(mega * 1e6) for mega in (one.memory, one.gpu_memory)]
    speed = None if one.speed is None else f"{one.speed:.1f}"
    kwh = None if one.kwh is None else f"{one.kwh:.3f}"
    return [stage, one.machine, duration(one.seconds), *(text or page.NOTHING for text in (speed, *amounts, kwh))]
