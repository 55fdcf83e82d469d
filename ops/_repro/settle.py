"""A stage that is due, as DVC settles it: it stands, or its outputs can be had without running it, or it must run."""

from __future__ import annotations

import sys
from typing import Any

from dvc.repo import Repo
from dvc.stage.cache import RunCacheNotFoundError, RunCacheNotSupported
from tqdm import tqdm

from ops._repro.part import Part, bring
from ops._repro.stand import Look
from ops._repro.whole import needed, wholes
from pipeline.core.types import Refusal


class Settle:
    """With ``force`` nothing stands; ``pull`` and ``allow_missing`` are `dvc repro`'s options of these names.

    ``new`` are the stages that ran or were restored: they have more to tell than dvc.lock does.
    """

    def __init__(self, repo: Repo, force: bool, pull: bool, allow_missing: bool) -> None:
        self.repo = repo
        self.force = force
        self.pull = pull
        self.allow_missing = allow_missing
        self.new: set[Any] = set()
        self._look = Look()
        self._runs_pulled = not pull

    def stands(self, stage: Any) -> bool:
        """Whether ``stage`` needs no run: unchanged, or a run of it with these inputs is in DVC's cache."""
        if self.pull and not self.allow_missing and not self.force:
            self._bring_outs(stage)
        if stage.frozen or not stage.cmd:
            stage.reproduce(allow_missing=self.allow_missing)
            return True
        if not self.force and self._unchanged(stage):
            return True
        stage.remove_outs(ignore_remove=False, force=False)
        return not self.force and self._restored(stage)

    def prepare(self, stage: Any) -> None:
        """Have here what ``stage`` reads, and take down its hashes.

        Raises Refusal where that must be pulled and nobody asked for it, or the remote lacks it.
        """
        parts = needed(stage)
        if not self.pull and (kept := sorted(str(part) for part in parts if part.out.use_cache)):
            raise Refusal(f"it needs {', '.join(kept)}: add --pull")
        bring(self.repo, parts)
        stage.save_deps()

    def save(self, stage: Any) -> None:
        """What DVC does once a command is over (Stage.run)."""
        uncached = any(not out.use_cache for out in stage.outs if not (out.is_metric or out.is_plot))
        stage.save(run_cache=not uncached)
        stage.commit()
        self.new.add(stage)
        self._look = Look()

    def _unchanged(self, stage: Any) -> bool:
        if not self.allow_missing:
            return not stage.changed()
        if not self._look.unchanged(stage):
            return False
        if unlisted := sorted(str(dep) for dep in wholes(stage) if dep.folder and dep.unlisted()):
            say(stage, f"taken as unchanged, for nobody here knows all that lies in {', '.join(unlisted)}")
        return True

    def _bring_outs(self, stage: Any) -> None:
        parts = [part for out in stage.outs if out.use_cache and not (part := Part.all_of(out)).here]
        if parts and self._look.unchanged(stage):
            try:
                bring(self.repo, parts)
            except Refusal as refusal:
                say(stage, str(refusal))  # so it runs

    def _restored(self, stage: Any) -> bool:
        if not self._runs_pulled:
            self._runs_pulled = True
            try:
                self.repo.stage_cache.pull(None)
            except RunCacheNotSupported as error:
                say(stage, f"no cache of runs comes from the remote: {flat(error)}")
        try:
            self.repo.stage_cache.restore(stage, pull=self.pull)
        except RunCacheNotFoundError:
            return False
        self.save(stage)
        say(stage, "restored from the cache of runs")
        return True


def flat(error: Exception) -> str:
    """What DVC says in several lines, in one."""
    return " ".join(str(error).split())


def say(stage: Any, text: str) -> None:
    tqdm.write(f"[{stage.addressing}] {text}", file=sys.stdout)
    sys.stdout.flush()
