"""Prove that no net is scored on a photograph it learned from, by the photographs' pixels, whatever their names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline.core import files
from pipeline.core.types import Refusal

Splits = Mapping[str, Mapping[str, str]]
"""By "data set/split" the id of each photograph, by its fingerprint."""


def learned(rows: Mapping[str, Mapping[str, Any]], fusions: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """``data`` and ``evaluate`` of each row of recipes and imports, by its name, and of each net that it starts from.

    The latter learned from ``data`` too, where that is another split than the row's own: ``b, which starts from a``. A
    ``fusions`` row starts from both its nets; a net of random weights from none. Raises Refusal for a row without them.
    """
    found: dict[str, Any] = {}
    for name, row in rows.items():
        try:
            found[name] = own = {group: _names(row[group]) for group in ("data", "evaluate")}
            for parent in _parents(row, rows, fusions):
                if (data := _names(rows[parent]["data"])) != own["data"]:
                    found[f"{name}, which starts from {parent},"] = {**own, "data": data}
        except (KeyError, TypeError, AttributeError) as error:
            raise Refusal(f"params.yaml: {name} says no data, evaluate or net ({error}): add what lacks") from None
    return found


def picks_as_recipes(picks: Mapping[str, Mapping[str, Any]], recipes: Mapping[str, Any]) -> dict[str, Any]:
    """Rows of ``picks`` as recipes: each learned what its recipe did. Raises Refusal for a recipe that is not there."""
    found = {}
    for name, row in picks.items():
        if row["recipe"] not in recipes:
            raise Refusal(f"params.yaml: picks.{name}.recipe is {row['recipe']}: it has {', '.join(recipes)}")
        found[name] = {**recipes[row["recipe"]], "evaluate": row["evaluate"]}
    return found


def validated(rows: Mapping[str, Mapping[str, Any]], recipes: Mapping[str, Any]) -> dict[str, Any]:
    """As ``learned``, of rows of ``validations``: a net learned neither from its validation split, nor is judged on it.

    Raises Refusal for a row of no recipe.
    """
    found: dict[str, Any] = {}
    for name, row in rows.items():
        if name not in recipes:
            raise Refusal(f"params.yaml: validations.{name} is of no recipe: there are {', '.join(recipes)}")
        split = _names(row)
        found[f"{name}, when validated,"] = {"data": _names(recipes[name]["data"]), "evaluate": split}
        found[f"{name}, whose milestones are chosen on it: it"] = {
            "data": split,
            "evaluate": _names(recipes[name]["evaluate"]),
        }
    return found


def _names(group: Mapping[str, Any]) -> dict[str, Any]:
    return {name: group[name] for name in ("shards", "split")}


def _parents(row: Mapping[str, Any], rows: Mapping[str, Any], fusions: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The rows whose weights are in the first weights of ``row``, each once, the nearest first."""
    found: dict[str, None] = {}
    queue = [_init(row)]
    for path in queue:
        folder, _, name = path.rpartition("/")
        name = name.removesuffix(".safetensors")
        if folder == "weights" and name in fusions:
            queue += [fusions[name]["first"], fusions[name]["second"]]
        elif (parent := folder.removeprefix("runs/")) in rows and parent not in found:
            found[parent] = None
            queue.append(_init(rows[parent]))
    return [*found]


def _init(row: Mapping[str, Any]) -> str:
    net = row["net"]
    return str(net.get("init", "")) if net.get("start", "init") == "init" else ""


def leaks(reports: Path, recipes: Mapping[str, Mapping[str, Any]], out: Path) -> None:
    """Write ``out``: for every split a recipe is scored on, how many of its photographs each other split holds too.

    ``reports`` holds ``<dataset>/fingerprints.parquet``. Raises Refusal, naming a photograph, when what a row
    learned from (``data``) and what it is scored on (``evaluate``) share one.
    """
    splits = _splits(reports)
    pairs = {name: (_split(row["data"]), _split(row["evaluate"])) for name, row in recipes.items()}
    for name, (learned, scored) in pairs.items():
        for split in (learned, scored):
            if split not in splits:
                raise Refusal(f"{name} names {split}, but the described splits are {', '.join(splits)}: choose one")
        both = splits[learned].keys() & splits[scored].keys()
        if both:
            one = min(both, key=lambda fingerprint: splits[scored][fingerprint])
            raise Refusal(
                f"{name} trains on {learned} and is scored on {scored}, which share {len(both)} photographs: "
                f"{splits[learned][one]} of the one is {splits[scored][one]} of the other; leave them out of one"
            )
    counts = {
        scored: {other: len(splits[scored].keys() & splits[other].keys()) for other in splits if other != scored}
        for _, scored in pairs.values()
    }
    files.write_json(out, counts)


def _split(group: Mapping[str, str]) -> str:
    return f"{group['shards']}/{group['split']}"


def _splits(reports: Path) -> Splits:
    splits: dict[str, dict[str, str]] = {}
    for path in sorted(reports.glob("*/fingerprints.parquet")):
        for row in pq.read_table(path).to_pylist():
            splits.setdefault(f"{path.parent.name}/{row['split']}", {}).setdefault(row["sha256"], row["id"])
    return splits
