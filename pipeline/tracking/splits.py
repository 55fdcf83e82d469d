"""The shards that a stage read, as its run names them: by their manifest's digest, without opening one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.shards.schema import MANIFEST, read_manifest
from pipeline.tracking.record import Split

SHARDS = "data/shards/"


def read(root: Path, deps: Iterable[str], sources: Mapping[str, str], context: str) -> tuple[list[Split], list[str]]:
    """The splits in the folders ``deps`` under data/shards/, and the manifests or folders that are not on this disk.

    ``sources`` gives a data set's archive by its key. Raises Refusal for a damaged manifest.
    """
    splits, missing = [], []
    for dep in deps:
        if not dep.startswith(SHARDS) or dep.endswith(f"/{MANIFEST}"):  # a manifest alone is read for its ids
            continue
        one = dep.removeprefix(SHARDS).count("/")
        manifests = [root / dep / MANIFEST] if one else sorted((root / dep).glob(f"*/{MANIFEST}"))
        missing += [] if manifests else [dep]
        for path in manifests:
            if not path.is_file():
                missing.append(path.relative_to(root).as_posix())
                continue
            name = path.parent.relative_to(root / SHARDS).as_posix()
            manifest, source = read_manifest(path.parent), sources.get(name.partition("/")[0], dep)
            splits.append(Split(name=name, digest=manifest.digest, rows=manifest.rows, source=source, context=context))
    return splits, missing
