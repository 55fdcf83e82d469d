"""Which runs somebody still needs: those that a registered version, or a dvc.lock anywhere, came from."""

from __future__ import annotations

from collections.abc import Iterable, Set

from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion

from pipeline.tracking.record import key


def kept(found: Iterable[Run], versions: Iterable[ModelVersion], outputs: Set[str], mark: str) -> set[str]:
    """The ids of those of ``found`` that ``versions``, or the md5 of ``outputs``, came from, over all their upstream.

    So did those with the tag ``mark``, which publish gives to every run of a dvc.lock.
    """
    ids, upstream, before = {str(each.run_id) for each in versions}, set(), -1
    while len(ids) > before:
        before = len(ids)
        for run in found:
            tags = run.data.tags
            outs = {md5 for tag, md5 in tags.items() if tag.startswith("dvc.out.")}
            tag = f"upstream.{key(tags.get('dvc.stage', ''))}", tags.get("dvc.inputs", "")
            if run.info.run_id in ids or mark in tags or outs & outputs or tag in upstream:
                ids.add(run.info.run_id)
                upstream |= {(name, inputs) for name, inputs in tags.items() if name.startswith("upstream.")}
    return ids
