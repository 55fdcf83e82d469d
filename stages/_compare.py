"""Keys that are the same for every recipe, so that runs stand beside each other: params and published scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.published import ladder
from pipeline.published.ours import METRICS, printed
from pipeline.tracking import record
from stages.shared.dvc import Entry


def keyless(params: Mapping[str, str], key: str) -> dict[str, str]:
    """``recipes.voc-fcn8s.solver.lr`` as ``recipes.solver.lr``, a column of its own for all recipes."""
    return {record.keyless(name, key): record.shortened(value) for name, value in params.items()}


def named(entry: Entry, found: Mapping[str, Entry], params: Mapping[str, str]) -> dict[str, str]:
    """What a row of the runs' table is known by: recipe, dataset, backbone, stride and scale, ours or an import's.

    ``params`` are the entry's and its upstream's. ``dataset`` is the split that the recipe is scored on, also for its
    training.
    """
    evaluations = (found.get(f"{stage}@{entry.key}") for stage in ("evaluate", "evaluate-import"))
    scored = next((each for each in evaluations if each), entry)
    rows = {"recipes", "imports"}
    known = {
        name.partition(".")[2]: value
        for name, value in keyless({**scored.params, **params}, entry.key).items()
        if name.partition(".")[0] in rows
    }
    net = ladder.NET.fullmatch(known.get("net", ""))  # of an import, whose weights know the rest
    scales = (each.params["scale"] for each in [scored, *found.values()] if "scale" in each.params)
    return {
        "recipe": entry.key,
        "dataset": known.get("evaluate", known.get("train", "")),
        "backbone": known.get("backbone", (net and net["backbone"]) or "vgg16"),
        "stride": known.get("stride", (net and net["stride"]) or "32"),
        "scale": next(scales, ""),
    }


def published(recipe: str, metrics: Iterable[str]) -> tuple[dict[str, float], dict[str, str]]:
    """``published/<head>/mean_iu`` and so on of the heads in ``metrics``, as fractions, and a tag with each's source.

    A score that nobody printed has no key.
    """
    scores: dict[str, float] = {}
    sources: dict[str, str] = {}
    for head in [name.removesuffix("/mean_iu") for name in metrics if name.endswith("/mean_iu")]:
        row = printed(recipe, head)
        if row is not None:
            sources[record.key(f"published/{head}")] = f"{row.source} ({row.net}, {row.split})"
            values = {name: getattr(row, name) for name in METRICS}
            scores |= {f"published/{head}/{name}": value / 100 for name, value in values.items() if value is not None}
    return scores, sources
