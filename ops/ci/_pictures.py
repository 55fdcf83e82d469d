"""Put pictures where a comment can show them: on a branch of one commit, a folder for each branch that reports."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import click

from ops._git import git
from ops.ci._forge import Forge
from pipeline.core.types import Refusal

BRANCH = "ci-pictures"
REF = f"refs/heads/{BRANCH}"
TRIES = 5  # of pushes that others are faster than
WHO = {f"GIT_{role}_NAME": "fcn" for role in ("AUTHOR", "COMMITTER")}
WHO |= {f"GIT_{role}_EMAIL": "fcn@localhost" for role in ("AUTHOR", "COMMITTER")}  # a runner has no user.name
MESSAGE = "Pictures of each branch's latest report [skip ci]"


def shown(root: Path, forge: Forge, pictures: Mapping[str, bytes], *, beside: Path | None, push: bool) -> str | None:
    """Put ``pictures``, PNGs by file name, where a page shows them; returns what it writes before ``/`` and a name.

    With ``push`` that is the remote of a host that shows files; else, or where it does not take them, which stderr
    tells, the folder ``beside`` the page. None: nowhere.
    """
    url = forge.raw(BRANCH)
    if pictures and url and push:
        try:
            replace(root, folder := named(forge.branch), pictures, login=forge.login())
            return f"{url}/{folder}"
        except Refusal as refusal:
            click.echo(f"no pictures on {BRANCH}: {refusal}", err=True)
    if not pictures or beside is None:
        return None
    beside.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        (beside / name).write_bytes(picture)
    return beside.name


def replace(
    root: Path,
    folder: str,
    pictures: Mapping[str, bytes],
    remote: str = "origin",
    *,
    login: Mapping[str, str] | None = None,
) -> None:
    """Make ``pictures`` the content of ``folder`` in ``BRANCH`` of ``remote``; its other folders stay.

    The branch is replaced by a commit without a parent, so that it does not grow; neither the work tree nor the index
    of ``root`` is touched, and no hook runs. Raises Refusal where the remote does not take it.
    """
    blobs = {name: git(root, "hash-object", "-w", "--stdin", stdin=picture) for name, picture in pictures.items()}
    files = [f"100644 blob {blob}\t{name}" for name, blob in blobs.items()]
    ours = f"040000 tree {_tree(root, files)}\t{folder}"
    for left in reversed(range(TRIES)):
        old = _tip(root, remote)
        try:
            others = [line for line in _folders(root, remote, old) if line.partition("\t")[2] != folder]
            commit = git(root, "commit-tree", _tree(root, [*others, ours]), "-m", MESSAGE, environment=WHO)
            lease = f"--force-with-lease={REF}:{old}"
            git(root, "push", "-q", "--no-verify", lease, remote, f"{commit}:{REF}", environment=login)
            return
        except Refusal:
            if not left or _tip(root, remote) == old:  # nobody was faster: it is not allowed
                raise


def named(branch: str) -> str:
    """A branch's folder: its name, where that is one; a digest keeps ``a/b`` and ``a-b`` apart."""
    plain = re.sub(r"[^\w.-]", "-", branch, flags=re.ASCII).lstrip(".-") or "unnamed"
    return plain if plain == branch else f"{plain}-{hashlib.sha256(branch.encode()).hexdigest()[:8]}"


def _folders(root: Path, remote: str, commit: str) -> list[str]:
    """Those of ``commit``, the tip of ``BRANCH`` at ``remote``, as `git mktree` takes them; none of none."""
    if not commit:
        return []
    git(root, "fetch", "-q", "--no-tags", "--no-write-fetch-head", remote, REF)
    return git(root, "ls-tree", commit).splitlines()


def _tip(root: Path, remote: str) -> str:
    return git(root, "ls-remote", remote, REF).partition("\t")[0]


def _tree(root: Path, entries: list[str]) -> str:
    return git(root, "mktree", stdin="".join(f"{entry}\n" for entry in entries).encode())
