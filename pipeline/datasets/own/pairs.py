"""Find images and labels in a folder by glob or list, and know each by its id, which pairs them."""

from __future__ import annotations

import glob
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.core.types import Refusal


@dataclass(frozen=True, kw_only=True)
class Found:
    """Files by id, as paths relative to the root, and one line for each that is in the way of another or missing."""

    files: dict[str, str]
    problems: tuple[str, ...]


def find(where: str, root: Path, pattern: str) -> Found:
    """The files of ``pattern``: a glob or ``@list`` relative to ``root``; ``where`` is its dotted name, for refusals.

    The id is the file's name without its ending, or the part of the name where the glob says ``{id}``, or the word
    before the path in a list's line. Hidden files are not found. Raises Refusal when the root or the list is missing,
    when nothing is found, and for a path that leaves the root.
    """
    if not root.is_dir():
        raise Refusal(f"{root} is no folder: put the data there, or correct {where.rpartition('.')[0]}.root")
    listed = pattern.startswith("@")
    files: dict[str, str] = {}
    problems = []
    for name, path in _listed(where, root, pattern[1:]) if listed else _globbed(where, root, pattern):
        if not name.isprintable() or "/" in name or "\\" in name:
            problems.append(f"{root / path} would have the id {name!r}: an id is a name without slashes, rename it")
        elif name in files:
            problems.append(
                f"{root / path} and {root / files[name]} are both {name}: rename one, "
                "or set both fields to @lists whose lines give an id and a path"
            )
        elif listed and not (root / path).is_file():
            problems.append(f"{root / path} is missing, but {root / pattern[1:]} lists it: correct its line")
        else:
            files[name] = path
    return Found(files=files, problems=tuple(problems))


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


def plain(name: str) -> str:
    """An id in one spelling: macOS writes ä as two characters, Linux as one."""
    return unicodedata.normalize("NFC", name)


def _listed(where: str, root: Path, path: str) -> Iterator[tuple[str, str]]:
    """Each line ``id path``, or a path alone."""
    for line in lines(where, root, path):
        name, *rest = line.split(maxsplit=1)
        target = inside(str(root / path), root, rest[0] if rest else name)
        yield plain(name if rest else PurePosixPath(target).stem), target


def _globbed(where: str, root: Path, pattern: str) -> Iterator[tuple[str, str]]:
    """Every file the pattern matches, sorted."""
    inside(where, root, pattern)
    before, marker, after = pattern.rpartition("/")[2].partition("{id}")
    if "{" in pattern.replace("{id}", "", bool(marker)) or (marker and re.search(r"[*?\[]", before + after)):
        raise Refusal(f"{where} is {pattern!r}: the only braces are one {{id}} amid plain text in the file's name")
    found = glob.glob(pattern.replace("{id}", "*"), root_dir=root, recursive=True)  # noqa: PTH207 - skips hidden files
    paths = sorted(path for path in found if (root / path).is_file())
    if not paths:
        here = sorted(entry.name for entry in root.iterdir())[:5]
        raise Refusal(f"{where} is {pattern!r}, which matches no file: {root} holds {', '.join(here) or 'nothing'}")
    for path in paths:
        name = PurePosixPath(path).name
        yield plain(name[len(before) : len(name) - len(after)] if marker else PurePosixPath(path).stem), path
