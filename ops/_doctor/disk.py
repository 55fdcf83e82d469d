"""Room for what the pipeline still has to write, on each disk that it writes to."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from ops._amount import size
from ops._doctor.archives import listed, place
from ops._doctor.finding import FIX, OK, Finding, Params
from pipeline.core.types import Refusal
from pipeline.fetch.download import Download
from stages.shared.dvc import LOADER, stages

SPARE = 1e9  # bytes beside it: logs, scratch, MLflow's files


def check(root: Path, params: Params) -> Iterator[Finding]:
    """A line for each disk: the workspace's, that of DVC's cache and that of .snapshots, often one and the same."""
    cache = _cache(root)
    needs = {root: 0.0, cache: 0.0, root / ".snapshots": 0.0}
    for out in _outs(root):
        needs[root] += 0 if (root / out["path"]).exists() else out.get("size", 0)
        needs[cache] += 0 if _cached(cache, out) else out.get("size", 0)
    archives = sum(_bytes(root, *row) for row in listed(params) if not (root / row[0] / row[1].name).exists())
    needs[root] += 2 * archives  # the archive, and its images again in shards
    needs[cache] += 2 * archives
    needs[root / ".snapshots"] += 2 * _largest(root, params)  # weights and momentum
    yield from _told(root, needs)


def _bytes(root: Path, folder: Path, entry: Download) -> int:
    path = place(root, folder, entry)
    return path.stat().st_size if path else entry.bytes or 0


def _told(root: Path, needs: Mapping[Path, float]) -> Iterator[Finding]:
    disks: dict[int, list[Path]] = defaultdict(list)
    for folder in needs:
        disks[_standing(folder).stat().st_dev].append(folder)
    for folders in disks.values():
        free, need = shutil.disk_usage(_standing(folders[0])).free, sum(needs[folder] for folder in folders)
        names = ", ".join("." if folder == root else _short(root, folder) for folder in folders)
        text = f"{size(free)} free for {names}; the pipeline writes about {size(need)} more"
        if free < need + SPARE:
            yield Finding("disk", FIX, f"{text}: free some, or move the cache with dvc cache dir --local FOLDER")
        else:
            yield Finding("disk", OK, text)


def _outs(root: Path) -> list[dict[str, Any]]:
    """What dvc.lock says that the stages of dvc.yaml write, with sizes in bytes; none before the first run."""
    try:
        now = stages(root)
        locked = yaml.load((root / "dvc.lock").read_text(encoding="utf-8"), Loader=LOADER)["stages"]
    except (FileNotFoundError, Refusal):
        return []
    return [out for name in now if name in locked for out in locked[name].get("outs", [])]


def _cache(root: Path) -> Path:
    try:
        from dvc.config import Config, ConfigError
    except ImportError:
        return root / ".dvc/cache"
    try:
        folder = Config(str(root / ".dvc"), validate=False).get("cache", {}).get("dir")
    except ConfigError:
        folder = None
    return Path(folder) if folder else root / ".dvc/cache"


def _cached(cache: Path, out: Mapping[str, Any]) -> bool:
    digest = str(out.get("md5", ""))
    return (cache / "files/md5" / digest[:2] / digest[2:]).exists()


def _largest(root: Path, params: Params) -> float:
    """Bytes of the largest net: as trained before, or as large as the ImageNet weights that it will start from."""
    trained = [out.get("size", 0) for out in _outs(root) if out["path"].endswith("model.safetensors")]
    weights = [_bytes(root, *row) for row in listed(params) if row[0].parts[1] == "weights"]
    return float(max([0, *trained, *weights]))


def _standing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.exists())


def _short(root: Path, path: Path) -> str:
    return str(path.relative_to(root) if path.is_relative_to(root) else path)
