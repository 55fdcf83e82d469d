"""The records that publish brings to MLflow: one per entry of dvc.lock, and one for the pipeline."""

import csv
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.tracking import record
from pipeline.tracking.commit import Commit, checked_out, origin
from pipeline.tracking.record import RunRecord, read_outputs, read_splits
from stages.shared.dvc import Entry, entries, pipeline, upstream

EVALUATIONS = ("evaluate", "evaluate-import", "evaluate-pick")
CONTEXTS = {"train": "training", "validate": "validation", **dict.fromkeys(EVALUATIONS, "evaluation")}
COMPARED = ("train", "import-weights", *EVALUATIONS)  # stages whose runs stand beside others'
WEIGHTS = ".safetensors"
TABLE = "results/table.csv"
PRINTED = {"published_mean_iu": "paper_iu", "published_pixel_acc": "paper_acc"}  # column: metric


def records(root: Path, experiment: str | None) -> tuple[RunRecord, list[RunRecord]]:
    """The pipeline as one record, and a record per entry; ``experiment`` is DVC's name for it, if it runs in one."""
    found = entries(root)
    commit = checked_out(root, ["dvc.lock", *(path for entry in found.values() for path in entry.outs)])
    converted = [entry for entry in found.values() if entry.stage.startswith(("convert@", "convert-folder@"))]
    sources, printed = {entry.key: _source(entry, found) for entry in converted}, _printed(root)
    children = [_record(root, entry, found, commit, sources, printed) for entry in found.values()]
    return _pipeline(found, children, commit, experiment), children


def identity(entry: Entry) -> dict[str, str]:
    """The tags by which a stage's run is found: the stage, its fingerprint, and what it wrote."""
    return {"dvc.stage": entry.stage, "dvc.inputs": entry.inputs, "dvc.outputs": entry.outputs}


def urls(entry: Entry) -> list[str]:
    """What ``entry`` fetched, the first address of each file; of a stage that fetches nothing none."""
    rows = [json.loads(value) for name, value in entry.params.items() if re.fullmatch(r"downloads\..*\.files", name)]
    return [row["urls"][0] for files in rows for row in files if row.get("urls")]


def _source(entry: Entry, found: Mapping[str, Entry]) -> str:
    """Where a data set came from: its first archive's URL, the path that it was rendered to, or one's own folder."""
    before = upstream(entry, found)
    rendered = [path for other in before for path in other.outs]
    places = [*(url for other in before for url in urls(other)), *rendered]
    return next(iter(places), entry.params.get(f"folders.{entry.key}.root", ""))


def _pipeline(
    found: Mapping[str, Entry], children: Sequence[RunRecord], commit: Commit, experiment: str | None
) -> RunRecord:
    """The parent: its files are the report's."""
    lock = pipeline(found.values())
    report = next((child for child in children if child.stage == "report"), None)
    return RunRecord(
        stage=experiment or f"{commit.sha[:7]}+{lock[:8]}",
        tags={"dvc.lock": lock, "dvc.exp": experiment or ""},
        origin=origin(commit, "dvc repro"),
        artifacts=report.artifacts if report else (),
        missing=report.missing if report else (),
        texts=commit.texts,
    )


def _record(
    root: Path,
    entry: Entry,
    found: Mapping[str, Entry],
    commit: Commit,
    sources: Mapping[str, str],
    printed: Mapping[tuple[str, str], Mapping[str, float]],
) -> RunRecord:
    """One entry's run."""
    outputs, stage, before = read_outputs(root, entry.outs), entry.stage.partition("@")[0], upstream(entry, found)
    splits, absent = read_splits(root, _shards(entry), sources, CONTEXTS.get(stage, stage))
    heads = [name.partition("/")[2] for name in outputs.metrics if name.startswith("mean_iu/")]
    params = {name: value for each in [*_same_key(entry, found), entry] for name, value in each.params.items()}
    shown = {record.keyless(name, entry.key): record.shortened(value) for name, value in params.items()}
    return RunRecord(
        stage=entry.stage,
        tags={
            "dvc.key": entry.key,
            "mlflow.note.content": _note(entry, before),
            **identity(entry),
        },
        origin=origin(commit, entry.cmd),
        lineage={
            "cmd": entry.cmd,
            "deps": dict(entry.deps),
            "outs": dict(entry.outs),
            "upstream": {other.stage: other.inputs for other in before},
        },
        params=shown | (_named(entry, found, params) if stage in COMPARED else {}),
        metrics={**outputs.metrics, **{k: v for head in heads for k, v in printed.get((entry.key, head), {}).items()}},
        curves=outputs.curves,
        artifacts=outputs.artifacts,
        texts=commit.texts,
        splits=splits,
        hist=outputs.hist,
        missing=[*outputs.missing, *absent],
    )


def _shards(entry: Entry) -> Sequence[str]:
    """The split that ``entry`` trained on or scored, else all of the data sets that it depends on."""
    if entry.stage.startswith(("evaluate", "validate")):
        return [f"data/shards/{entry.cmd.split()[-1]}"]
    split = [entry.params.get(f"recipes.{entry.key}.data.{name}") for name in ("shards", "split")]
    return [f"data/shards/{split[0]}/{split[1]}"] if all(split) else [*entry.deps]


def _same_key(entry: Entry, found: Mapping[str, Entry]) -> list[Entry]:
    """The entries of the same key that ``entry`` builds on, farthest first: a score then stands beside its lr."""
    before: list[Entry] = []
    for other in upstream(entry, found):
        if entry.key and other.key == entry.key:
            before += [*_same_key(other, found), other]
    return before


def _note(entry: Entry, before: Sequence[Entry]) -> str:
    """What the stage did, from what, and how to have its weights: Markdown, a paragraph per sentence.

    No commit is named: the one that brings this dvc.lock is made after the run. Git finds it by the hash.
    """
    lines = [f"{entry.desc or entry.stage}."]
    lines += [f"From {', '.join(other.stage for other in before)}."] if before else []
    for path, md5 in entry.outs.items():
        if path.endswith(WEIGHTS):
            rev = f"$(git log -S{md5} --format=%h -- dvc.lock | tail -1)"
            lines.append(f"Weights: `dvc get . {path} --rev {rev}`")
    return "\n\n".join(lines)


def _named(entry: Entry, found: Mapping[str, Entry], params: Mapping[str, str]) -> dict[str, str]:
    """What a row of the runs' table is known by: recipe, dataset, backbone, stride and scale, ours or an import's.

    ``params`` are the entry's and its upstream's. ``dataset`` is the split that the recipe is scored on, also for its
    training.
    """
    evaluations = (found.get(f"{stage}@{entry.key}") for stage in EVALUATIONS)
    scored = next((each.cmd.split()[-1] for each in evaluations if each), "")
    names = {name.rpartition(f".{entry.key}.")[2]: value for name, value in params.items()}
    of_import = re.search(r"-fcn(\d+)s", names.get("net.name", entry.key))  # a net without one is a 32s, the default
    scales = (each.params["scale"] for each in found.values() if "scale" in each.params)
    return {
        "recipe": entry.key,
        "dataset": scored or f"{names.get('data.shards')}/{names.get('data.split')}",
        "backbone": names.get("net.backbone", ""),
        "stride": names.get("net.stride", of_import[1] if of_import else "32"),
        "scale": next(scales, ""),
    }


def _printed(root: Path) -> dict[tuple[str, str], dict[str, float]]:
    """What the paper's authors reached, as fractions, by recipe and head, from the report's table; empty without it."""
    if not (root / TABLE).is_file():
        return {}
    with (root / TABLE).open(encoding="utf-8", newline="") as file:
        return {
            (row["recipe"], row["head"]): {
                record.key(f"{metric}/{row['head']}"): record.rounded(float(row[column]) / 100)
                for column, metric in PRINTED.items()
                if row.get(column)
            }
            for row in csv.DictReader(file)
            if row.get("head")
        }
