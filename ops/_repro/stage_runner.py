"""Whether DVC's stage is up to date, how to have its inputs here, and what to save once it has run."""

import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePath
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage.cache import RunCacheNotFoundError, RunCacheNotSupported
from tqdm import tqdm

from ops._project import one_line
from pipeline.core.types import Refusal


class StageRunner:
    """``force``, ``pull`` and ``allow_missing`` are `dvc repro`'s options of these names.

    ``new`` are the stages that ran or were restored: they have more to tell than dvc.lock does. ``rewrote`` are those
    of them that wrote other bytes than before.
    """

    def __init__(self, repo: Repo, *, force: bool = False, pull: bool = False, allow_missing: bool = False) -> None:
        self.repo = repo
        self.force = force
        self.pull = pull
        self.allow_missing = allow_missing
        self.new: set[Any] = set()
        self.rewrote: set[Any] = set()
        self._knows_runs = not pull
        self._filling: dict[str, list[Any]] = defaultdict(list)  # by path: the output there, and all below
        for out in repo.index.outs:
            for path in (out.fs_path, *PurePath(out.fs_path).parents):
                self._filling[str(path)].append(out)

    def is_up_to_date(self, stage: Any) -> bool:
        """Whether nothing of ``stage`` changed; with ``pull`` its outputs are then brought here, as DVC does."""
        if stage.frozen or not stage.cmd:
            stage.reproduce(allow_missing=self.allow_missing)
            return True
        if self.force or not self.changed(stage, self.allow_missing):
            return not self.force
        if self.pull and not self.changed(stage, allow_missing=True):
            try:
                self._bring(out for out in stage.outs if not out.exists)
                return True
            except (DvcException, Refusal) as error:
                say(stage, f"so it runs: {one_line(error)}")
        return False

    def changed(self, stage: Any, allow_missing: bool) -> bool:
        """As DVC's ``Stage.changed``, but for what git keeps, and for a folder that outputs fill and that is not here.

        With ``allow_missing`` such a folder counts as changed where a stage that fills it wrote other bytes; for DVC it
        always is. A file that git keeps is missing where the stage was interrupted: that is a change in any case.
        """
        new = not any(item.hash_info for item in [*stage.deps, *stage.outs])
        if new or stage.changed_stage() or stage.is_callback or stage.always_changed:
            return True
        if any(out.status() and not (allow_missing and self.may_be_absent(out)) for out in stage.outs):
            return True
        return any(self.dep_changed(dep) if allow_missing else dep.status() for dep in stage.deps)

    def may_be_absent(self, out: Any) -> bool:
        """Whether ``out`` is not here and need not be: DVC keeps it, or nobody does."""
        absent = all(status in ("deleted", "not in cache") for status in out.status().values())
        return absent and (out.use_cache or not self.repo.scm.is_tracked(out.fs_path))

    def dep_changed(self, dep: Any) -> bool:
        """Whether a dependency is not as dvc.lock says, or, where it is not here, as its stage wrote it."""
        filling = self.filling(dep)
        if all(out.exists for out in filling):
            return bool(dep.status())
        if filling[0].fs_path == dep.fs_path:
            return bool(dep.hash_info != filling[0].hash_info)
        return not dep.hash_info or any(out.stage in self.rewrote for out in filling)

    def filling(self, dep: Any) -> list[Any]:
        """The outputs that ``dep`` is, or that lie in it."""
        return self._filling.get(dep.fs_path, [])

    def missing(self, stage: Any) -> list[Any]:
        """The outputs of others that ``stage`` reads and that are not here."""
        return [out for dep in stage.deps for out in self.filling(dep) if not out.exists]

    def restore(self, stage: Any) -> bool:
        """Have the inputs of ``stage`` here; whether DVC's cache of runs has what it writes from them.

        Raises Refusal where inputs must be pulled and nobody asked for it, DVC's errors where the remote lacks them.
        """
        self._bring(self.missing(stage))
        stage.remove_outs(ignore_remove=False, force=False)
        if self.force:
            return False
        if not self._knows_runs:
            self._knows_runs = True
            try:
                self.repo.stage_cache.pull(None)
            except RunCacheNotSupported as error:
                say(stage, f"no cache of runs comes from the remote: {one_line(error)}")
        try:
            self.repo.stage_cache.restore(stage, pull=self.pull)
        except RunCacheNotFoundError:
            return False
        self.save(stage)
        say(stage, "restored from the cache of runs")
        return True

    def _bring(self, outs: Iterable[Any]) -> None:
        for out in outs:
            write = f"write it anew with fcn run {out.stage.addressing}"
            if not out.use_cache:
                raise Refusal(f"{out} is not here, and DVC keeps no copy: {write}")
            if out.changed_cache():
                if not self.pull:
                    raise Refusal(f"it needs {out}: add --pull")
                try:
                    for objects in out.get_used_objs().values():
                        self.repo.cloud.pull(objects)
                except DvcException as error:
                    raise Refusal(f"{out} cannot be pulled ({one_line(error)}): {write}") from None
            out.checkout()

    def save(self, stage: Any) -> None:
        """What DVC does once a command is over (``Stage.run``)."""
        before = [out.hash_info for out in stage.outs]
        uncached = any(not out.use_cache for out in stage.outs if not (out.is_metric or out.is_plot))
        stage.save(run_cache=not uncached)
        stage.commit()
        self.new.add(stage)
        if [out.hash_info for out in stage.outs] != before:
            self.rewrote.add(stage)


def say(stage: Any, text: str) -> None:
    tqdm.write(f"[{stage.addressing}] {text}", file=sys.stdout)
    sys.stdout.flush()
