"""A stage's run as MLflow will show it: what the stage read and wrote, under keys that MLflow takes."""

import csv
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.core.fields import canonical, flat

KEY_CHARS, PARAM_CHARS = 250, 6000  # MLflow's longest key and param
DIGITS = 5  # of a number in MLflow, whose tables show all that there are
ATTACHED = (".json", ".csv", ".html", ".md", ".png", ".tsv")
HIST, METRICS, CLASSES, MANIFEST = "hist.parquet", "metrics.json", "classes.json", "_manifest.json"
EVALUATIONS = "eval"
STEP = "iteration"  # the first column of a table of curves
COPY = "curve.tsv"  # an evaluation's, of the curve of a training, whose own run has it
SHARDS = "data/shards/"
DIGEST = 36  # characters of a data set's digest that MLflow takes; the whole stands in its profile

Curve = Sequence[tuple[int, float]]
Split = Mapping[str, str]  # the fields of MLflow's Dataset, and ``context``: what the shards were read for


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """One entry of dvc.lock, or the pipeline as a whole; every key is one that MLflow accepts.

    ``origin`` are tags that tell where and when a run was made: one that is there already keeps its own.
    ``metrics`` are single numbers, ``curves`` numbers by iteration. ``artifacts`` are files to attach, PNGs as images
    to compare; ``texts`` are attached under their keys, ``lineage`` as lineage.json. ``splits`` are the shards that
    were read, ``hist`` the file of an evaluation's counts. ``missing`` are files that were not here to read, so that
    they can be added later.
    """

    stage: str
    tags: Mapping[str, str]
    origin: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    artifacts: Sequence[Path] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    lineage: Mapping[str, Any] = field(default_factory=dict)
    splits: Sequence[Split] = ()
    hist: Path | None = None
    missing: Sequence[str] = ()


@dataclass(kw_only=True)
class Outputs:
    """What a stage wrote; ``missing`` are files that are not on this disk, or not as dvc.lock has them."""

    metrics: dict[str, float] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict)
    artifacts: list[Path] = field(default_factory=list)
    hist: Path | None = None
    missing: list[str] = field(default_factory=list)


def read_outputs(root: Path, outs: Mapping[str, str]) -> Outputs:
    """Read the outputs at ``root``/``outs`` (md5 by path) that are for reading.

    The numbers of a head in an evaluation's JSON file are metrics, ``mean_iu/semantic``; the columns of a TSV file by
    iteration are curves; tables and pictures are artifacts. Of an output folder only what lies directly in it counts,
    and of its JSON files only metrics.json. A file must have its md5; what lies in a folder is taken as it is, for its
    files' hashes are in DVC's cache alone.
    """
    found = Outputs()
    for path, md5 in ((path, md5) for out, md5 in outs.items() for path in _readable(root, out)):
        if not (path.is_file() and (md5.endswith(".dir") or hashlib.md5(path.read_bytes()).hexdigest() == md5)):
            found.missing.append(path.relative_to(root).as_posix())
        elif path.name == HIST:
            found.hist = path
        elif curves := read_curves(path):
            found.curves.update(curves)
        else:
            found.artifacts.append(path)
            if path.suffix == ".json" and path.is_relative_to(root / EVALUATIONS):
                found.metrics.update(read_scores(path))
    return found


def read_curves(path: Path) -> dict[str, Curve]:
    """``{column: [(iteration, value), …]}`` of a tab-separated file by iteration; empty for any other."""
    if path.suffix != ".tsv":
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        if (rows.fieldnames or [""])[0] != STEP:
            return {}
        curves: dict[str, list[tuple[int, float]]] = {}
        for row in rows:
            step, head = int(row.pop(STEP)), row.pop("head", None)  # a table with heads is of a validation
            for name, value in row.items():
                curve = curves.setdefault(key(f"validation/{head}/{name}" if head else name), [])
                curve.append((step, rounded(float(value))))
    return dict[str, Curve](curves)


def read_scores(path: Path) -> dict[str, float]:
    """The numbers of each head in an evaluation's JSON file; of classes.json none, they are a table."""
    tree: dict[str, Any] = {} if path.name == CLASSES else json.loads(path.read_text(encoding="utf-8"))
    heads = {name: value for name, value in tree.items() if isinstance(value, Mapping)}
    return {
        key(f"{score}/{head}"): rounded(value)
        for head, scores in heads.items()
        for score, value in scores.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def read_splits(
    root: Path, deps: Iterable[str], sources: Mapping[str, str], context: str
) -> tuple[list[Split], list[str]]:
    """The splits in the folders ``deps`` under data/shards/, and the manifests or folders that are not on this disk.

    ``sources`` gives by a data set's key its archive's URL, or the path that it was rendered to.
    """
    splits: list[Split] = []
    missing = []
    for dep in (dep for dep in deps if dep.startswith(SHARDS)):
        one = dep.removeprefix(SHARDS).count("/")
        manifests = [root / dep / MANIFEST] if one else sorted((root / dep).glob(f"*/{MANIFEST}"))
        missing += [] if manifests else [dep]
        for path in manifests:
            if not path.is_file():
                missing.append(path.relative_to(root).as_posix())
                continue
            name = path.parent.relative_to(root / SHARDS).as_posix()
            manifest, source = json.loads(path.read_bytes()), sources.get(name.partition("/")[0], dep)
            remote, digest = "://" in source, manifest["digest"]  # sha256 over ids and encoded bytes
            split = {"name": name, "digest": digest[:DIGEST], "source_type": "http" if remote else "local"}
            split["source"] = json.dumps({"url" if remote else "uri": source})
            split["profile"] = json.dumps({"digest": digest, "rows": len(manifest["ids"])})
            splits.append({**split, "context": context})
    return splits, missing


def _readable(root: Path, out: str) -> Iterator[Path]:
    path = root / out
    if path.is_dir():
        inside = sorted(path.iterdir())
        yield from (file for file in inside if file.name == METRICS or file.suffix in ATTACHED[1:])
    elif path.name == HIST or (path.suffix in ATTACHED and path.name != COPY):
        yield path


def rounded(value: float) -> float:
    """``value`` to five digits; whole numbers as they are."""
    return float(value) if float(value).is_integer() else float(f"{value:.{DIGITS}g}")


def shortened(text: str) -> str:
    """``text`` cut to what MLflow takes as a param."""
    return text if len(text) <= PARAM_CHARS else text[: PARAM_CHARS - 1] + "…"


def dotted(tree: Mapping[str, Any]) -> dict[str, str]:
    """A nested map's leaves by dotted name, canonical; names that are dotted already stay as they are."""
    return {key(name): canonical(value) for name, value in flat(tree).items()}


def keyless(name: str, key: str) -> str:
    """``recipes.voc-fcn8s.solver.lr`` as ``recipes.solver.lr``: a column of its own for all recipes."""
    return name.replace(f".{key}.", ".", 1) if key else name


def key(name: str, refused: str = r"[^\w/.\- :]", most: int = KEY_CHARS) -> str:
    """``name`` with each ``refused`` character an underscore, no empty or dotted folder, and ``most`` characters.

    One that had to be changed ends in a digest of what it was: ``cat (wild)`` and ``cat [wild]`` stay two.
    """
    steps = re.sub(refused, "_", name).split("/")
    fit = "/".join(step if step.strip(".") else "_" for step in steps)
    if fit == name and len(fit) <= most:
        return fit
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{fit[: most - 7]}-{mark}"
