"""The pipeline as it was at a revision of git, or as it lies here: scores, params and dvc.lock's entries."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ops._git import answer, asked, git
from pipeline.core.types import Refusal
from pipeline.tracking import record
from stages.shared.dvc import LOADER, Entry, entries

FILES = ("dvc.yaml", "dvc.lock", "params.yaml")


@dataclass(frozen=True, kw_only=True)
class State:
    """``metrics`` are the contents of eval/*/metrics.json by recipe, ``params`` dotted, ``entries`` by stage."""

    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    entries: Mapping[str, Entry] = field(default_factory=dict)


def here(root: Path) -> State:
    """What ``root``'s files say; a pipeline that never ran says little. Raises Refusal for metrics that are no JSON."""
    try:
        found = entries(root)
    except Refusal:
        found = {}
    params = root / "params.yaml"
    return State(
        metrics={path.parent.name: _json(path) for path in sorted(root.glob("eval/*/metrics.json"))},
        params=record.dotted(yaml.load(params.read_bytes(), Loader=LOADER) or {}) if params.is_file() else {},
        entries=found,
    )


def at(root: Path, revision: str) -> State:
    """What the files of ``revision`` say. Raises Refusal for one that git does not know."""
    commit = asked(root, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    if not commit:
        raise Refusal(f"git knows no revision {revision}: git fetch --unshallow, or give another --base")
    listed = git(root, "ls-tree", "-r", "-z", "--name-only", commit, "--", *FILES, "eval").split("\0")
    names = [name for name in listed if name in FILES or Path(name).name == "metrics.json"]
    if not names:
        return State()
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(io.BytesIO(answer(root, "archive", "--format=zip", commit, "--", *names))) as archive:
            archive.extractall(folder)
        return here(Path(folder))


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_bytes()))
    except (ValueError, TypeError):
        raise Refusal(f"{path} is no evaluation: dvc checkout, or dvc repro evaluate@{path.parent.name}") from None
