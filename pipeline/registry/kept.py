"""Which runs somebody still needs: those that a registered version, or a dvc.lock anywhere, came from."""

from __future__ import annotations

from collections.abc import Iterable, Set

from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion

from pipeline.tracking.runs import PIPELINES, lineage


def kept(found: Iterable[Run], versions: Iterable[ModelVersion], outputs: Set[str], mark: str) -> set[str]:
    """The ids of those of ``found`` that ``versions``, or the md5 of ``outputs``, came from, over all their upstream.

    So did those with ``mark``, which publish gives to every run of a dvc.lock.
    """
    hashes = {run.info.run_id: lineage(run) for run in found}
    ids, upstream, before = {str(each.run_id) for each in versions}, set(), -1
    while len(ids) > before:
        before = len(ids)
        for run in found:
            tags, own = run.data.tags, hashes[run.info.run_id]
            outs, here = set(own.get("outs", {}).values()), mark in tags.get(PIPELINES, "").split()
            if run.info.run_id in ids or here or outs & outputs or tags.get("dvc.inputs") in upstream:
                ids.add(run.info.run_id)
                upstream |= set(own.get("upstream", {}).values())
    return ids
