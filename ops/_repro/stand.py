"""What of a stage is not as dvc.lock says: if nothing, it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from dvc.dependency import ParamsDependency
from dvc.dependency.param import read_param_file
from dvc.dvcfile import PROJECT_FILE
from dvc.repo import Repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
from dvc_data.hashfile.hash_info import HashInfo

from ops._repro.part import Part
from ops._repro.whole import Whole

ABSENT = "absent"  # of a param; told, too


class Look:
    """One look at the workspace: it hashes and reads no file twice, so it is not for a time in which stages run."""

    def __init__(self) -> None:
        self._hashes: dict[str, Any] = {}
        self._params: dict[str, Any] = {}

    def changes(self, stage: Any, allow_missing: bool, skip: Callable[[Any], bool] = lambda _: False) -> Iterator[str]:
        """What changed, in words; no word of dependencies to ``skip``, nor with ``allow_missing`` of what is not here.

        Raises MissingParamsError and the like, as DVC does.
        """
        if stage.cmd and not any(item.hash_info for item in [*stage.deps, *stage.outs]):
            yield "new stage"
            return
        if stage.is_callback or stage.always_changed:
            yield "runs always"
        if stage.changed_stage():
            yield "command changed"
        for dep in stage.deps:
            if isinstance(dep, ParamsDependency):
                yield from self._params_of(dep)
            elif not skip(dep):
                yield from self._dep(dep, allow_missing)
        for out in stage.outs:
            yield from _out(out, allow_missing)

    def _dep(self, dep: Any, allow_missing: bool) -> Iterator[str]:
        if not dep.exists:
            if not allow_missing:
                yield f"{dep} missing"
        elif not dep.hash_info:
            yield f"{dep} is new to it"
        elif self._hash(dep) != dep.hash_info:
            yield f"{dep} changed"

    def unchanged(self, stage: Any) -> bool:
        """Whether ``stage`` stands as it is; that files are not here is no matter."""
        return next(self.changes(stage, allow_missing=True), None) is None

    def inputs(self, stage: Any, skip: Callable[[Any], bool]) -> dict[Any, Any]:
        """The hash of each dependency as it is now, and of those to ``skip`` as dvc.lock has it."""
        found: dict[Any, Any] = {}
        for dep in stage.deps:
            if isinstance(dep, ParamsDependency):
                found[dep] = HashInfo(dep.PARAM_PARAMS, cast(Any, self._values(dep)))
            else:
                found[dep] = dep.hash_info if skip(dep) else self._hash(dep)
        return found

    def _hash(self, dep: Any) -> Any:
        if isinstance(dep, Whole):
            return dep.get_hash()
        if dep.fs_path not in self._hashes:
            self._hashes[dep.fs_path] = dep.get_hash()
        return self._hashes[dep.fs_path]

    def _params_of(self, dep: ParamsDependency) -> Iterator[str]:
        if not dep.exists:
            yield f"{dep} missing"
            return
        tree, before = self._tree(dep), dep.hash_info.value or {}
        for name in dep.params or dict.fromkeys([*tree, *before]):
            yield from _differences(name, before.get(name, ABSENT), _leaf(tree, name))

    def params(self, stage: Any) -> dict[str, Any]:
        """The stage's params by name, as they are now."""
        return {name: value for dep in stage.params for name, value in self._values(dep).items()}

    def _values(self, dep: ParamsDependency) -> dict[str, Any]:
        tree = self._tree(dep)
        return {name: value for name in dep.params or tree if (value := _leaf(tree, name)) is not ABSENT}

    def _tree(self, dep: ParamsDependency) -> Any:
        if dep.fs_path not in self._params:
            self._params[dep.fs_path] = read_param_file(dep.repo.fs, dep.fs_path)
        return self._params[dep.fs_path]


def ordered(repo: Repo, targets: Sequence[str]) -> list[Any]:
    """What DVC would walk for ``targets``, or for all of dvc.yaml, in its order: the very stages of the index.

    DVC itself is asked only for targets that are no stage's name, as paths are: it would read dvc.lock once more.
    """
    known = {stage: stage for stage in repo.index.stages}
    chosen: list[Any] = []
    for target in targets or [PROJECT_FILE]:
        named = [stage for stage in known if _goes_by(stage, target)]
        chosen += named or collect_stages(repo, [target])
    return [known[stage] for stage in plan_repro(get_active_graph(repo.index.graph), list(dict.fromkeys(chosen)))]


def _goes_by(stage: Any, target: str) -> bool:
    """``train@voc-fcn8s``, ``train`` and ``dvc.yaml`` are names of one."""
    return bool(stage.cmd) and target in (stage.addressing, stage.addressing.partition("@")[0], stage.relpath)


def _out(out: Any, allow_missing: bool) -> Iterator[str]:
    if not out.hash_info:
        yield f"output {out} is new to it"
    elif not out.exists:
        if not allow_missing:
            yield f"output {out} missing"
    elif out.changed_checksum():
        if not _in_part(out):
            yield f"output {out} changed"
        elif not allow_missing:
            yield f"output {out} missing in part"


def _in_part(out: Any) -> bool:
    """Whether what lies here of a folder is right, and only not all of it, as `dvc pull` of a part leaves it."""
    files = Part.all_of(out).files
    if not files or () in files or not out.isdir():
        return False
    ignore = out.dvcignore
    here = out._build(out.cache, out.fs_path, out.fs, out.hash_name, ignore=ignore, dry_run=True)[2]
    return all(files.get(key) == of for key, _, of in here)


def _leaf(tree: Any, name: str) -> Any:
    for step in name.split("."):
        if not isinstance(tree, Mapping) or step not in tree:
            return ABSENT
        tree = tree[step]
    return tree


def _differences(name: str, before: Any, now: Any) -> Iterator[str]:
    """The leaves that are not as they were: ``recipes.voc-fcn16s.solver.lr 1e-10 → 2e-10``."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for leaf in dict.fromkeys([*before, *now]):
            yield from _differences(f"{name}.{leaf}", before.get(leaf, ABSENT), now.get(leaf, ABSENT))
    elif now != before:
        yield f"{name} {_short(before)} → {_short(now)}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
