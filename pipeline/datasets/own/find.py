"""Find images and labels in a folder by glob or list, by their ids, and what lies there beside them."""

import glob
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import takewhile
from pathlib import Path, PurePosixPath

from pipeline.core.types import Refusal, visible
from pipeline.datasets.own.pattern import Match, globbed, plain

Files = Mapping[str, Mapping[str, str]]
"""Paths relative to the root by id, and there by what ``{class}`` matched, "" without it."""


def find(
    where: str, root: Path, pattern: str, problems: list[str], kinds: Collection[str] = ()
) -> dict[str, dict[str, str]]:
    """The ``Files`` of ``pattern``, of which ``{class}`` matches one of ``kinds``; one line goes to ``problems`` for
    each that is missing or in another's way.

    ``pattern`` is a glob or ``@list`` relative to ``root``, ``where`` its dotted name, for refusals.
    ``pattern.globbed`` says what the id is; a list's line gives it before the path, or it is the file's name without
    its ending.

    Raises Refusal when the root or the list is missing, when nothing is found, and for a path that leaves the root.
    """
    if not root.is_dir():
        raise Refusal(f"{root} is no folder: put the data there, or correct {where.rpartition('.')[0]}.root")
    listed = pattern.startswith("@")
    if listed and kinds:
        raise Refusal(f"{where} is the list {pattern}: with encoding masks write a pattern with {{id}} and {{class}}")
    files: dict[str, dict[str, str]] = {}
    matches = _listed(where, root, pattern[1:]) if listed else globbed(where, root, inside(where, root, pattern), kinds)
    for name, path, kind, known in matches:
        of = files.setdefault(name, {}) if known else {}
        if not name.isprintable() or "\\" in name or not all(part.strip(".") for part in name.split("/")):
            remedy = "an id has neither backslashes nor characters that nobody sees, rename it"
            problems.append(f"{root / path} would have the id {name!r}: {remedy}")
        elif not known:
            remedy = f"give it a class in {where.rpartition('.')[0]}.classes, or list it in ignore"
            problems.append(f"{root / path} is a mask of {kind}, which no class names: {remedy}")
        elif kind in of:
            remedy = "rename one, or set both fields to @lists whose lines give an id and a path"
            problems.append(f"{root / path} and {root / of[kind]} are both {name}: {remedy}")
        elif (root / path).is_symlink() and not (root / path).exists():
            remedy = "mount its disk, fetch it (git annex get, dvc checkout), or delete the link"
            problems.append(f"{root / path} is a link to {(root / path).readlink()}, which is not here: {remedy}")
        elif not (root / path).is_file():
            remedy = f"is missing, but {root / pattern[1:]} lists it: correct its line"
            problems.append(f"{root / path} {remedy if listed else 'is no ordinary file: take it away'}")
        else:
            of[kind] = path
    return {name: of for name, of in files.items() if of}


def passed_over(root: Path, patterns: Iterable[str], taken: Collection[str]) -> dict[str, list[str]]:
    """What else lies where the globs look, by the reason: hidden, or another name than the globs'."""
    found: set[str] = set()
    for parts in (PurePosixPath(pattern).parts for pattern in patterns if not pattern.startswith("@")):
        fixed = PurePosixPath(*takewhile(lambda part: not re.search(r"[*?\[{]", part), parts[:-1]))
        deep = "**" if len(fixed.parts) < len(parts) - 1 else "*"
        found.update(glob.glob(str(fixed / deep), root_dir=root, recursive=True, include_hidden=True))  # noqa: PTH207
    reasons: dict[str, list[str]] = {}
    for path in sorted(found - set(taken)):
        if not (root / path).is_dir():
            hidden = any(part.startswith(".") for part in PurePosixPath(path).parts)
            reasons.setdefault("hidden" if hidden else "of another name", []).append(path)
    return reasons


def lines(where: str, root: Path, path: str) -> list[str]:
    """The lines of a text file in ``root`` that hold more than blanks; Refusal where it leaves the root or is empty."""
    file = root / inside(where, root, path)
    try:
        text = file.read_text(encoding="utf-8-sig")  # as Windows' Notepad writes it, too
    except (OSError, UnicodeDecodeError) as error:
        reason = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error})"
        raise Refusal(f"{file} {reason}: {where} names it as a text file") from None
    found = [line.strip() for line in text.splitlines() if line.strip()]
    if not found:
        raise Refusal(f"{file} is empty: write one entry a line, or take it out of {where}")
    return found


def inside(where: str, root: Path, path: str) -> str:
    """``path`` itself; Refusal where it is absolute or climbs out of the root."""
    if path.startswith(("/", "\\", "~")) or path[1:2] == ":" or ".." in PurePosixPath(path.replace("\\", "/")).parts:
        raise Refusal(f"{where} names {path}, outside the root: put the file into {root} and write its path from there")
    return path


def _listed(where: str, root: Path, path: str) -> Iterator[Match]:
    """Each line ``id path``, or a path alone."""
    for line in lines(where, root, path):
        name, *rest = line.split(maxsplit=1)
        target = inside(str(root / path), root, rest[0] if rest else name)
        yield Match(plain(name if rest else PurePosixPath(target).stem), target)


def unused(others: Mapping[str, list[str]], images: Mapping[str, str], labels: Files, kept: Collection[str]) -> str:
    """How many files are in no split, by the reason, with the first of each."""
    reasons = {
        **others,
        "images in no split": [path for name, path in images.items() if name not in kept],
        "labels without an image": [next(iter(of.values())) for name, of in labels.items() if name not in images],
    }
    parts = (f"{why}: {len(paths)} ({paths[0]}{', …' * bool(paths[1:])})" for why, paths in reasons.items() if paths)
    return visible("; ".join(parts))
