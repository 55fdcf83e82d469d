"""Inputs that other stages write, as they would be with everything here: what is missing is as dvc.lock says."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from dvc.dependency.base import Dependency
from dvc.repo import Repo
from dvc_data.hashfile.meta import Meta
from dvc_data.hashfile.tree import Tree

from ops._repro.part import Part, listings
from pipeline.core.types import Refusal


class Whole(Dependency):  # type: ignore[misc]
    """A dependency that is one of ``outs``, lies in one, or is a folder that they fill.

    Of ``restored`` stages the outputs are as their hashes say, whatever lies here. ``ran`` are stages that may have
    written other bytes than dvc.lock says: as long as none of these fills it, a folder that nobody can tell is as
    dvc.lock says.
    """

    outs: Sequence[Any]
    ran: Collection[Any]
    restored: Collection[Any]

    @property
    def exists(self) -> bool:
        return True

    def save(self) -> None:
        """Take down hash and size, as DVC does of what lies here."""
        self.meta, self.hash_info = self._get_hash_meta()
        self.obj = self.files = None

    @property
    def folder(self) -> bool:
        """Whether stages fill it, each with a part."""
        return all(out.fs_path != self.fs_path and _within(out.fs_path, self.fs_path) for out in self.outs)

    def missing(self) -> list[Part]:
        """What is not here of what stages write of it."""
        if self.folder:
            parts = [Part.all_of(out) for out in self.outs]
        else:
            parts = [Part(self.outs[0], self.fs_path, self.meta.size or 0)]
        return [part for part in parts if part.out.stage in self.restored or not part.here]

    def unlisted(self) -> list[str]:
        """The missing folders that leave nobody here to know what it comes to."""
        return [str(part.out) for part in self.missing() if part.files is None and part.out.fs_path != self.fs_path]

    def _get_hash_meta(self) -> tuple[Any, Any]:
        missing = self.missing()
        if not missing:
            meta, of = super()._get_hash_meta()
            return meta, of
        if unlisted := self.unlisted():
            if not self.hash_info or any(out.stage in self.ran for out in self.outs):
                raise Refusal(f"nobody here knows what lies in {', '.join(unlisted)} of {self}: dvc pull brings it")
            return self.meta, self.hash_info
        return self._mixed(missing) if self.folder else self._one(missing[0])

    def _one(self, part: Part) -> tuple[Any, Any]:
        """Of an output, or of what lies in one."""
        if part.path == part.out.fs_path:
            return part.out.meta, part.out.hash_info
        files = part.files or {}
        of = files[()] if () in files else _tree(files).hash_info
        meta = self.meta if of == self.hash_info else Meta(isdir=() not in files, nfiles=len(files))
        return meta, of

    def _mixed(self, missing: Sequence[Part]) -> tuple[Any, Any]:
        """Of a folder: the files that lie in it, and those that are ``missing``."""
        files, size = {}, 0
        if self.fs.exists(self.fs_path):
            built = self._build(
                self.local_cache, self.fs_path, self.fs, self.hash_name, ignore=self.dvcignore, dry_run=True
            )[2]
            places = {self.fs.relparts(part.path, self.fs_path) for part in missing}
            for key, meta, of in built:
                if not any(key[: len(place)] == place for place in places):
                    files[key] = of
                    size += meta.size
        for part in missing:
            place = self.fs.relparts(part.path, self.fs_path)
            files |= {place + key: of for key, of in (part.files or {}).items()}
            size += part.size
        return Meta(size=size, isdir=True, nfiles=len(files)), _tree(files).hash_info


def complete(
    repo: Repo, stages: Iterable[Any], ran: Collection[Any], restored: Collection[Any] = (), *, listed: bool = True
) -> None:
    """Make Wholes of the ``stages``' dependencies on what stages write.

    With ``listed`` the listings of folders come from the remote, else only from the cache.
    """
    outs = list(repo.index.outs)
    asked = []
    for stage in stages:
        for place, dep in enumerate(stage.deps):
            if type(dep) in (Dependency, Whole) and (of := [out for out in outs if _overlap(out.fs_path, dep.fs_path)]):
                whole = Whole.__new__(Whole)
                whole.__dict__.update(dep.__dict__, outs=of, ran=ran, restored=restored)
                stage.deps[place] = whole
                asked += [out for out in of if out.fs_path != dep.fs_path and not out.exists]
    if listed:
        listings(repo, asked)


def wholes(stage: Any) -> list[Whole]:
    return [dep for dep in stage.deps if isinstance(dep, Whole)]


def needed(stage: Any) -> list[Part]:
    """What must be here before ``stage`` can run, and is not.

    Where dvc.yaml says ``meta: {pull: false}`` of it, it does without what DVC keeps of the folders that stages fill.
    """
    partly = (stage.meta or {}).get("pull") is False
    parts = [(dep, part) for dep in wholes(stage) for part in dep.missing()]
    return [part for dep, part in parts if not (partly and dep.folder and part.out.use_cache)]


def _tree(files: Mapping[tuple[str, ...], Any]) -> Tree:
    tree = Tree()  # type: ignore[no-untyped-call]
    for key, of in files.items():
        tree.add(key, None, of)
    tree.digest()
    return tree


def _overlap(one: str, other: str) -> bool:
    return _within(one, other) or _within(other, one)


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")
