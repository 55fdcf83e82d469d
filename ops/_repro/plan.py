"""What `fcn run` would do, why, in how long, and with how many bytes from the remote."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo

from ops._repro import seconds
from ops._repro.part import Part
from ops._repro.runs import Cached, Runs
from ops._repro.stand import Look, ordered
from ops._repro.whole import complete, needed, wholes
from pipeline.core.types import Refusal

RUN, RESTORED, MAY_RUN = "run", "restored", "may run"
PARTIAL = "some data is not here, so this is of fcn run --pull --allow-missing; of fcn run alone: --no-allow-missing"


@dataclass(frozen=True)
class Step:
    """A stage that does not stand: ``run`` if its own inputs changed, ``restored`` if DVC's cache of runs has it.

    It ``may run`` if only a stage before it might write other bytes. ``seconds`` are those of its last run, None if
    nobody knows them; ``pulls`` the bytes that must come from the remote for it, and for no step before it.
    """

    stage: str
    action: str
    reasons: tuple[str, ...]
    seconds: float | None
    pulls: int


@dataclass(frozen=True)
class Plan:
    """The steps in an order that they can run in, and how many stages stand; ``notes`` say what nobody could tell."""

    steps: tuple[Step, ...]
    unchanged: int
    notes: tuple[str, ...] = ()

    @property
    def runs(self) -> list[Step]:
        """Those that run for certain."""
        return self.of(RUN)

    @property
    def pulls(self) -> int:
        """Bytes that must come from the remote, at most."""
        return sum(step.pulls for step in self.steps)

    @property
    def seconds(self) -> float:
        """Of all steps one after another, as far as they are known."""
        return sum(step.seconds or 0.0 for step in self.steps)

    @property
    def untimed(self) -> int:
        """Steps whose seconds nobody knows."""
        return sum(step.seconds is None for step in self.steps)

    def of(self, action: str) -> list[Step]:
        return [step for step in self.steps if step.action == action]


def plan(repo: Repo, targets: Sequence[str] = (), allow_missing: bool | None = None) -> Plan:
    """What `fcn run` would do for ``targets``, or for all of dvc.yaml.

    With ``allow_missing``, what `fcn run --pull --allow-missing` would do, to which it is no change that files are not
    here. None asks for that where an output is neither here nor in DVC's cache, as in a clone without all data.

    Where nothing changed, the remote is not asked; else listings of folders, kilobytes, come from it into DVC's cache.
    Raises Refusal for an unknown target, and for a project that DVC cannot read.
    """
    try:
        stages = ordered(repo, targets)
        if allow_missing is not None:
            return _walked(repo, stages, allow_missing)
        lacks = any(Part.all_of(out).absent() for stage in stages for out in stage.outs if not out.exists)
        found = _walked(repo, stages, lacks)
        return replace(found, notes=(*found.notes, PARTIAL)) if lacks else found
    except DvcException as error:
        raise Refusal(_told(repo, targets, error)) from None
    finally:
        repo._reset()  # its stages have been told what restored runs wrote


def _walked(repo: Repo, stages: Sequence[Any], allow_missing: bool) -> Plan:
    if _Walk(repo, stages, allow_missing, listed=False).stands():
        return Plan((), len(stages))
    return _Walk(repo, stages, allow_missing, listed=True).plan()


class _Walk:
    """One walk through ``stages``, in an order that they can run in."""

    def __init__(self, repo: Repo, stages: Sequence[Any], allow_missing: bool, *, listed: bool) -> None:
        self.root = Path(repo.root_dir)
        self.stages = stages
        self.allow_missing = allow_missing
        self.look = Look()
        self.runs = Runs(repo)
        self.unsettled: set[Any] = set()  # stages that may write other bytes than dvc.lock says
        self.restored: set[Any] = set()
        self.pulled: set[str] = set()
        complete(repo, stages, self.unsettled, self.restored, listed=listed)

    def stands(self) -> bool:
        """Whether there is no step; looks no further than the first."""
        return not any(self._step(stage) for stage in self.stages)

    def plan(self) -> Plan:
        steps = {stage: step for stage in self.stages if (step := self._step(stage))}
        params = {stage: self.look.params(stage) for stage, step in steps.items() if step.action != RESTORED}
        times = seconds.of(self.root, params)
        done = tuple(replace(step, seconds=times.get(stage, step.seconds)) for stage, step in steps.items())
        return Plan(done, len(self.stages) - len(done), tuple(self._notes(steps)))

    def _step(self, stage: Any) -> Step | None:
        if stage.frozen or not stage.cmd:
            return None
        open_ = {dep: [out.stage for out in dep.outs if out.stage in self.unsettled] for dep in wholes(stage)}
        open_ = {dep: before for dep, before in open_.items() if before}
        own = tuple(self.look.changes(stage, self.allow_missing, open_.__contains__))
        after = dict.fromkeys(f"after {each.addressing}" for before in open_.values() for each in before)
        if not own and not after:
            return None
        cached = self._cached(stage, open_) if own else None
        if cached and not after:
            self._restore(stage, cached)
            return Step(stage.addressing, RESTORED, own, 0.0, cached.pulls)
        self.unsettled.add(stage)
        action = RUN if own and not cached else MAY_RUN
        return Step(stage.addressing, action, (*own, *after), None, self._pulls(stage))

    def _cached(self, stage: Any, open_: Collection[Any]) -> Cached | None:
        """A run of it that the cache has; where a stage before it is unsettled, if that writes what it wrote before."""
        if next(self.look.changes(stage, True, open_.__contains__), None) is None:  # its outputs alone are not here
            here = all(out.use_cache and not Part.all_of(out).absent() for out in stage.outs)
            return Cached({out.def_path: out for out in stage.outs}, 0) if here else None
        return self.runs.find(stage, self.look.inputs(stage, open_.__contains__))

    def _restore(self, stage: Any, cached: Cached) -> None:
        self.restored.add(stage)
        for out in stage.outs:
            out.meta, out.hash_info = cached.outs[out.def_path].meta, cached.outs[out.def_path].hash_info

    def _pulls(self, stage: Any) -> int:
        parts = [part for part in needed(stage) if part.out.stage not in self.unsettled | self.restored]
        parts = [part for part in parts if part.path not in self.pulled]
        self.pulled |= {part.path for part in parts}
        return sum(part.bytes() for part in parts)

    def _notes(self, steps: Mapping[Any, Step]) -> Iterator[str]:
        """What nobody could tell, and what another option would leave out."""
        standing = [dep for stage in self.stages if stage not in steps for dep in wholes(stage)]
        if names := sorted({str(dep) for dep in standing if dep.folder and dep.unlisted()}):
            yield f"taken as unchanged, for nobody here knows all that lies in them: {', '.join(names)}"
        lacking = [step for step in steps.values() if step.reasons[-1].endswith(" missing")]
        if lacking and not self.allow_missing:
            yield f"{len(lacking)} of these miss files: fcn plan --allow-missing tells what changed besides"


def _told(repo: Repo, targets: Sequence[str], error: DvcException) -> str:
    """``error`` in one line, with a stage's name that is near to a target that is none."""
    try:
        names = [stage.addressing for stage in repo.index.stages if stage.cmd]
    except DvcException:
        names = []  # that is the error
    groups = list(dict.fromkeys(name.partition("@")[0] for name in names))
    for target in targets:
        if names and target not in {*names, *groups} and repr(target) in str(error):
            close = get_close_matches(target, [*names, *groups], n=1)
            return f"no stage {target}: " + (f"did you mean {close[0]}?" if close else f"there are {', '.join(groups)}")
    return " ".join(str(error).split())
