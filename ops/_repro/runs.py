"""DVC's cache of runs: whether it has what a stage would write from what its inputs are now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage.cache import _get_cache_hash
from dvc.stage.serialize import to_single_stage_lockfile
from dvc_data.hashfile.meta import Meta

from ops._repro import patience
from ops._repro.part import Part

PATIENCE = 5.0  # seconds for a remote to answer


@dataclass(frozen=True)
class Cached:
    """What a run wrote: outputs by path, and the bytes of them that must come from the remote."""

    outs: Mapping[str, Any]
    pulls: int


class Runs:
    """The cache of runs in ``repo``, and that of its remote, as long as it has one that answers."""

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        try:
            self.files, self.runs = (repo.cloud.get_remote_odb(hash_name=name) for name in ("md5", "md5-dos2unix"))
        except DvcException:
            self.files = self.runs = None

    def find(self, stage: Any, inputs: Mapping[Any, Any]) -> Cached | None:
        """The newest run of ``stage`` from ``inputs`` (a hash by dependency) whose outputs can be had."""
        if not stage.deps or not stage.outs or stage.always_changed or any(out.persist for out in stage.outs):
            return None  # DVC keeps no run of these
        with _with(inputs):
            key = _get_cache_hash(to_single_stage_lockfile(stage), key=True)
        return self._cached(stage, self._here(key)) or self._cached(stage, self._far(key))

    def _cached(self, stage: Any, entry: Any) -> Cached | None:
        if not entry:
            return None
        outs = self.repo.stage_cache._create_stage(entry, wdir=stage.wdir).outs
        parts = [Part.all_of(out) for out in outs]
        absent = {of.value for part in parts for of in part.absent()}
        if absent and not (
            self.files and patience.within(PATIENCE, lambda: all(map(self.files.exists, absent)), False)
        ):
            return None
        return Cached({out.def_path: out for out in outs}, sum(part.bytes() for part in parts))

    def _here(self, key: str) -> Any:
        folder = Path(self.repo.stage_cache._get_cache_dir(key))
        found = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime) if folder.is_dir() else []
        return self.repo.stage_cache._load_cache(key, found[-1].name) if found else None

    def _far(self, key: str) -> Any:
        if self.runs is None:
            return None
        fs = self.runs.fs

        def ask() -> Any:
            found = sorted(fs.find(fs.join(self.runs.path, "runs", key[:2], key)))
            return yaml.safe_load(fs.read_text(found[-1])) if found else {}

        entry = patience.within(PATIENCE, ask, None)
        if entry is None:
            self.files = self.runs = None  # it does not answer, and is asked no more
        return entry


@contextmanager
def _with(inputs: Mapping[Any, Any]) -> Iterator[None]:
    """The dependencies with other hashes than dvc.lock's, for a while."""
    before = [(dep, dep.meta, dep.hash_info) for dep in inputs]
    for dep, of in inputs.items():
        dep.meta, dep.hash_info = Meta(), of
    try:
        yield
    finally:
        for dep, meta, of in before:
            dep.meta, dep.hash_info = meta, of
