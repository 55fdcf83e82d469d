"""What evaluations and bounds wrote, checked as it is read; scores are in percent."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.core.types import Refusal
from pipeline.panels import panels
from pipeline.panels.panels import Shown
from pipeline.published import ladder
from pipeline.published.published import METRICS

SIZES = {"lt01": "< 1 %", "01to04": "1–4 %", "04to16": "4–16 %", "gt16": "> 16 %"}  # of the image's pixels
Content = TypeVar("Content")
Heads = Mapping[str, Mapping[str, Content]]  # by recipe and head
Curve = NDArray[np.float64]  # rows of (iteration, loss per valid pixel)
Bounds = Mapping[tuple[str, str], Mapping[int, float]]  # mean IU by factor; by the images' digest and head


class Counts(NamedTuple):
    """One head's ``pixels``, int64, a row for each true class and a column for each predicted one."""

    classes: Sequence[str]
    pixels: NDArray[np.int64]

    def iu(self) -> NDArray[np.float64]:
        """By class, in percent; NaN of a class that is neither true nor predicted anywhere."""
        hits = self.pixels.diagonal()
        union = self.pixels.sum(0) + self.pixels.sum(1) - hits
        return np.asarray(100 * np.divide(hits, union, out=np.full(len(hits), np.nan), where=union > 0))


class Limits(NamedTuple):
    """Where one head errs: mean IU of bands with pixels (half a width in pixels, score), outlines, objects by size."""

    trimap: Sequence[tuple[int, float]]
    boundary: Sequence[float | None]  # precision, recall and F
    sizes: Sequence[tuple[int, float | None]]  # objects, and their mean IU


class Ours(NamedTuple):
    """One head's scores of one evaluation, in percent; ``scored`` of ``classes`` classes have ground truth.

    ``ids_sha256`` names the ``images`` it was scored on.
    """

    recipe: str
    head: str
    ids_sha256: str
    images: int
    classes: int
    scored: int
    pixel_acc: float
    mean_acc: float
    mean_iu: float
    fw_iu: float


class Outputs(NamedTuple):
    """The evaluations of one scale in ladder order; of each file, those that have it."""

    ours: Sequence[Ours]
    curves: Mapping[str, Curve]
    counts: Heads[Counts]
    limits: Heads[Limits]
    images: Mapping[str, Mapping[tuple[str, str], float]]  # mean IU by recipe, head and id, of images that have one
    shown: Mapping[str, Sequence[Shown]]  # about 12 MB for each recipe of the paper's scale
    bounds: Bounds
    milestones: Heads[Curve] = MappingProxyType({})  # mean IU on the validation split by iteration

    @property
    def recipes(self) -> list[str]:
        return [*dict.fromkeys(row.recipe for row in self.ours)]


def read(evaluations: Path, bounds: Path, scale: str, recipes: Iterable[str]) -> Outputs:
    """Of ``recipes`` those that were evaluated at this ``scale``.

    Raises Refusal when there are none, a file cannot be understood, or scores are of other counts than lie beside them.
    """
    rows = _ours(evaluations, scale, recipes)
    folders = {row.recipe: evaluations / row.recipe for row in rows}

    def read_outputs(name: str, read_file: Callable[[Path], Content], stage: str = "evaluate") -> dict[str, Content]:
        paths = {recipe: folder / name for recipe, folder in folders.items()}
        return {recipe: _checked(path, read_file, stage) for recipe, path in paths.items() if path.is_file()}

    counts = read_outputs("hist.parquet", _counts)
    for row in (row for row in rows if row.head in counts.get(row.recipe, {})):
        pixels = counts[row.recipe][row.head].pixels
        if 100 * (int(pixels.trace()) / int(pixels.sum())) != row.pixel_acc:  # as the evaluation computed it
            where = f"{folders[row.recipe]}/metrics.json"
            raise Refusal(f"{where} is not of the hist.parquet beside it: run its evaluate stage again")
    return Outputs(
        ours=rows,
        curves=read_outputs("history.tsv", _curve, "train"),
        milestones=read_outputs("milestones.tsv", _milestones, "validate"),
        counts=counts,
        limits=read_outputs("limits.json", _limits),
        images=read_outputs("images.tsv", _images),
        shown={recipe: panels.read(folder) for recipe, folder in folders.items()},
        bounds=dict(bound for path in sorted(bounds.glob("*.json")) for bound in _checked(path, _bounds, "bounds")),
    )


def _ours(evaluations: Path, scale: str, recipes: Iterable[str]) -> list[Ours]:
    """Every head of ``evaluations``/<recipe>/metrics.json of this ``scale``, in ladder order, semantic heads first."""
    paths = [path for recipe in recipes if (path := evaluations / recipe / "metrics.json").is_file()]
    found = [row for path in paths for row in _checked(path, partial(_scores, scale=scale), "evaluate")]
    if not found:
        raise Refusal(f"no {evaluations}/*/metrics.json of scale {scale!r} to report: evaluate a recipe first")
    return sorted(found, key=lambda row: (ladder.head_order(row.head), ladder.place(row.recipe)))


def _scores(path: Path, scale: str) -> list[Ours]:
    """With classes.json beside it, which says how many classes a head has."""
    metrics, heads = _tree(path)
    if metrics["scale"] != scale:
        return []
    classes = json.loads(path.with_name("classes.json").read_text(encoding="utf-8"))
    return [
        Ours(
            recipe=path.parent.name,
            head=head,
            ids_sha256=metrics["ids_sha256"],
            images=metrics["images"],
            classes=len(classes[head]["iu"]),
            scored=len(classes[head]["iu"]) - len(classes[head]["absent"]),
            **{name: 100 * scores[name] for name in METRICS},
        )
        for head, scores in heads.items()
    ]


def by_ladder(found: Heads[Content]) -> Iterator[tuple[str, dict[str, Content]]]:
    """Each head of each ladder, and what its nets have of it, from coarse to fine."""
    for family in ladder.ladders(found):
        for head in sorted({head for recipe in family for head in found[recipe]}, key=ladder.head_order):
            yield head, {recipe: found[recipe][head] for recipe in family if head in found[recipe]}


def _checked(path: Path, read_file: Callable[[Path], Content], stage: str) -> Content:
    """What a damaged file raises becomes a Refusal."""
    try:
        return read_file(path)
    except (pa.ArrowException, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        reason = (str if isinstance(error, OSError) else repr)(error).partition("\\n")[0]
        raise Refusal(f"{path} is damaged ({reason}): run its {stage} stage again") from None


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [*csv.DictReader(file, delimiter="\t")]


def _curve(path: Path) -> Curve:
    rows = [(float(row["iteration"]), float(row["loss"])) for row in _rows(path)]
    if not rows:
        raise ValueError("it has no rows")
    return np.array(rows)


def _milestones(path: Path) -> dict[str, Curve]:
    """Percent by head."""
    rows = [(row["head"], float(row["iteration"]), 100 * float(row["mean_iu"])) for row in _rows(path)]
    if not rows:
        raise ValueError("it has no rows")
    heads = dict.fromkeys(head for head, *_ in rows)
    return {head: np.array([point for name, *point in rows if name == head]) for head in heads}


def _counts(path: Path) -> dict[str, Counts]:
    """By head, whose rows come true class by true class."""
    table = pq.read_table(path, columns=["head", "truth", "pixels"])
    found = {}
    for head in map(str, table["head"].unique().to_pylist()):
        rows = table.filter(pc.field("head") == head)
        classes = [*map(str, rows["truth"].unique().to_pylist())]
        found[head] = Counts(classes, rows["pixels"].to_numpy().reshape(len(classes), len(classes)))
    return found


def _images(path: Path) -> dict[tuple[str, str], float]:
    return {(row["head"], row["id"]): 100 * float(row["mean_iu"]) for row in _rows(path) if row["mean_iu"]}


def _bounds(path: Path) -> list[tuple[tuple[str, str], dict[int, float]]]:
    tree, heads = _tree(path)
    digest = tree["ids_sha256"]
    mean_iu = {head: {int(key): 100 * one["mean_iu"] for key, one in rows.items()} for head, rows in heads.items()}
    return [((digest, head), scores) for head, scores in mean_iu.items()]


def _limits(path: Path) -> dict[str, Limits]:
    found = {}
    for head, limits in _tree(path)[1].items():
        bands = ((int(name.removesuffix("px")), _percent(band["mean_iu"])) for name, band in limits["trimap"].items())
        trimap = sorted((width, score) for width, score in bands if score is not None)
        boundary = [_percent(limits["boundary"][name]) for name in ("precision", "recall", "f")]
        sizes = [(limits["size"][name]["objects"], _percent(limits["size"][name]["mean_iu"])) for name in SIZES]
        found[head] = Limits(trimap, boundary, sizes)
    return found


def _tree(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """All of a file, and what it says by head."""
    tree = json.loads(path.read_text(encoding="utf-8"))
    return tree, {head: one for head, one in tree.items() if isinstance(one, dict)}


def _percent(score: float | None) -> float | None:
    return None if score is None else 100 * score
