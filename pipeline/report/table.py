"""Set our scores beside the published ones, as a table to read and a table to compute with."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline import files
from pipeline.report.published import OTHERS, PUBLISHED, Published
from pipeline.types import Refusal

METRICS = {"pixel_acc": "pixel acc.", "mean_acc": "mean acc.", "mean_iu": "mean IU", "fw_iu": "f.w. IU"}
DATASETS = ("voc", "nyud", "siftflow", "pascalcontext")
BACKBONES = ("", "alexnet", "googlenet")  # a VGG16's name does not say so
NET = re.compile(r"(?P<dataset>\w+)-fcn(?:(?P<stride>\d+)s)?(?:-(?P<backbone>alexnet|googlenet))?(?:-(?P<variant>.+))?")
NOTES = {
    "miniature": "Rendered images and thin nets: these scores are **not comparable** with the published ones, which "
    "stand here to show the shape of the ladder. What should repeat is the order of the nets, not their numbers.",
    "photos": "Real photographs, but few of them, and short training: these scores are **not comparable** with the "
    "published ones. Mean IU is over the classes that the few images show.",
    "paper": "The published data sets, nets and recipes: our scores are comparable with the published ones.",
}


@dataclass(frozen=True, kw_only=True)
class Ours:
    """One head's scores of one evaluation, in percent; ``scored`` of ``classes`` classes have ground truth."""

    recipe: str
    head: str
    images: int
    classes: int
    scored: int
    pixel_acc: float
    mean_acc: float
    mean_iu: float
    fw_iu: float


def write(evaluations: Path, out: Path, scale: str) -> None:
    """Write ``out``/table.csv and table.md from ``evaluations``/*/metrics.json of this ``scale``.

    Evaluations of another scale may lie beside them and are left out: their scores mean something else.

    Raises Refusal when there is none of this scale, or one cannot be understood.
    """
    ours = read(evaluations, scale)
    with files.replacing(out / "table.csv") as scratch:
        _write_csv(scratch, ours, scale)
    with files.replacing(out / "table.md") as scratch:
        scratch.write_text(markdown(ours, scale), encoding="utf-8")


def read(evaluations: Path, scale: str) -> list[Ours]:
    """Every head of every evaluation of this ``scale``, in ladder order."""
    found = [row for path in sorted(evaluations.glob("*/metrics.json")) for row in _read(path, scale)]
    if not found:
        raise Refusal(f"no {evaluations}/*/metrics.json of scale {scale!r} to report: evaluate a recipe first")
    return sorted(found, key=lambda row: (row.head != "semantic", row.head, ladder(row.recipe)))


def _read(path: Path, scale: str) -> list[Ours]:
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
        if metrics["scale"] != scale:
            return []
        return [
            Ours(
                recipe=path.parent.name,
                head=head,
                images=metrics["images"],
                classes=len(scores["iu"]),
                scored=len(scores["iu"]) - len(scores["absent"]),
                **{name: 100 * scores[name] for name in METRICS},
            )
            for head, scores in metrics.items()
            if isinstance(scores, dict)
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise Refusal(f"{path} is no evaluation ({error!r}): run its evaluate stage again") from None


def ladder(recipe: str) -> tuple[int, str, int, int, int, str]:
    """Sort key: data set, backbone, stride from coarse to fine, then variants, published ones first.

    voc-fcn32s < voc-fcn32s-scratch < voc-fcn16s < voc-fcn8s < voc-fcn-googlenet < voc-fcn16s-googlenet < nyud-fcn32s
    """
    net = NET.fullmatch(recipe)
    if net is None:
        return len(DATASETS) + 1, recipe, 0, 0, 0, ""
    dataset, variant = net["dataset"], net["variant"] or ""
    rank = DATASETS.index(dataset) if dataset in DATASETS else len(DATASETS)
    printed = [row.recipe for row in PUBLISHED]
    known = printed.index(recipe) if recipe in printed else len(printed)
    return rank, dataset, BACKBONES.index(net["backbone"] or ""), -int(net["stride"] or 32), known, variant


def reference(ours: Ours) -> Published | None:
    """The published row to compare with, if there is one."""
    return next((row for row in PUBLISHED if (row.recipe, row.head) == (ours.recipe, ours.head)), None)


def _write_csv(path: Path, ours: Iterable[Ours], scale: str) -> None:
    """Percent with four decimals, as the most precise published numbers; an empty cell is a number nobody printed."""
    printed = [*METRICS, "split", "source"]
    with path.open("w", encoding="utf-8", newline="") as file:
        names = [*Ours.__dataclass_fields__, "scale", *(f"published_{name}" for name in printed)]
        rows = csv.DictWriter(file, names, lineterminator="\n")
        rows.writeheader()
        for row in ours:
            theirs = reference(row)
            beside = {f"published_{name}": getattr(theirs, name, None) for name in printed}
            cells = {**asdict(row), "scale": scale, **beside}
            rows.writerow({name: f"{cell:.4f}" if isinstance(cell, float) else cell for name, cell in cells.items()})


def markdown(ours: Sequence[Ours], scale: str) -> str:
    """Ours beside the reference rows per head, then everything that was printed; percent with one decimal."""
    parts = ["# Ours beside the published", f"Scale: **{scale}**. {NOTES.get(scale, '')}".strip()]
    for head in dict.fromkeys(row.head for row in ours):
        parts += [f"## {head}", _beside([row for row in ours if row.head == head])]
    everything = sorted(PUBLISHED, key=lambda row: (ladder(row.recipe), row.head != "semantic"))
    parts += ["## Everything published", "Percent. The first row of a net is the one set beside ours."]
    parts += [_published([*everything, *OTHERS])]
    return "\n\n".join(parts) + "\n"


def _beside(ours: Sequence[Ours]) -> str:
    """Our score, and the published one in brackets."""
    heads = ["recipe", "images", "classes", *(f"{name} (published)" for name in METRICS.values()), "published on"]
    rows = []
    for row in ours:
        theirs = reference(row)
        scores = (f"{getattr(row, name):.1f} ({_percent(getattr(theirs, name, None))})" for name in METRICS)
        classes = str(row.classes) if row.scored == row.classes else f"{row.scored} of {row.classes}"
        rows.append([row.recipe, str(row.images), classes, *scores, theirs.split if theirs else "–"])
    return _table(heads, rows)


def _published(rows: Iterable[Published]) -> str:
    heads = ["net or method", "head", "on", *METRICS.values(), "source"]
    cells = [
        [row.recipe, row.head, row.split, *(_percent(getattr(row, name)) for name in METRICS), row.source]
        for row in rows
    ]
    return _table(heads, cells)


def _percent(score: float | None) -> str:
    return "–" if score is None else f"{score:.1f}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, [":--", *["--:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
