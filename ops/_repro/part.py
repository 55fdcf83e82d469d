"""What stages write, or a part of it: what lies in it, whether that is here, and how to bring it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dvc.repo import Repo
from dvc_data.hashfile.tree import Tree
from dvc_objects.errors import ObjectFormatError

from pipeline.core.types import Refusal


@dataclass(frozen=True)
class Part:
    """What lies at ``path`` (absolute) of DVC's output ``out``: all of it, or something in a folder; ``size`` bytes."""

    out: Any
    path: str
    size: int

    @classmethod
    def all_of(cls, out: Any) -> Part:
        return cls(out, out.fs_path, out.meta.size or 0)

    def __str__(self) -> str:
        fs, out = self.out.fs, self.out
        return str(out) if self.path == out.fs_path else fs.join(str(out), fs.relpath(self.path, out.fs_path))

    @cached_property
    def files(self) -> Mapping[tuple[str, ...], Any] | None:
        """Hashes by path below this part, ``()`` for a file; None where the cache has no listing of the folder."""
        of = self.out.hash_info
        if not of:
            return None
        if not of.isdir:
            return {(): of}
        try:
            listing = Tree.load(self.out.cache, of)
        except (FileNotFoundError, ObjectFormatError):
            return None
        place = () if self.path == self.out.fs_path else self.out.fs.relparts(self.path, self.out.fs_path)
        return {key[len(place) :]: file for key, _, file in listing if key[: len(place)] == place}

    @cached_property
    def here(self) -> bool:
        """Whether the workspace has all of it: of what was pulled in part, it has not."""
        fs = self.out.fs
        return bool(fs.exists(self.path)) and all(fs.exists(fs.join(self.path, *key)) for key in self.files or ())

    def absent(self) -> set[Any]:
        """The objects of it that are not in DVC's cache. Git keeps those of outputs that DVC does not."""
        if not self.out.use_cache:
            return set()
        objects = {self.out.hash_info, *(self.files or {}).values()}
        return {of for of in objects if of and not self.out.cache.exists(of.value)}

    def bytes(self) -> int:
        """What must come from the remote: ``size``, for dvc.lock has that of the whole alone, less what is cached."""
        absent, cache = self.absent(), self.out.cache
        there = [of for of in set((self.files or {}).values()) - absent if absent]
        return max(0, self.size - sum(cache.fs.size(cache.oid_to_path(of.value)) for of in there)) if absent else 0


def bring(repo: Repo, parts: Iterable[Part]) -> None:
    """Have ``parts`` here: from the cache, and what that lacks from the remote.

    Raises Refusal naming one that neither has, and DVC's for a remote that does not answer.
    """
    parts = list(parts)
    listings(repo, [part.out for part in parts])
    parts = [Part(part.out, part.path, part.size) for part in parts]  # which know the listings
    if wanted := set().union(*(part.absent() for part in parts)):
        repo.cloud.pull(wanted)
    for part in parts:
        if not part.out.use_cache:
            raise Refusal(f"{part} is not here, and git keeps it, not DVC: git checkout {part}")
        if part.absent():
            raise Refusal(f"{part} is neither here nor on the remote: fcn run {part.out.stage.addressing}")
        part.out.checkout(filter_info=part.path)


def listings(repo: Repo, outs: Iterable[Any]) -> None:
    """Ask the remote for what lies in those of ``outs`` that are folders, and for nothing of it; once for all."""
    wanted = {out.hash_info for out in outs if out.use_cache and out.hash_info and out.hash_info.isdir}
    wanted = {of for of in wanted if not repo.cache.local.exists(of.value)}
    if wanted:
        with suppress(Exception):  # no remote, or none that answers: then nobody knows
            repo.cloud.pull(wanted)
