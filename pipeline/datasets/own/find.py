"""Find images and labels in a folder by glob or list, pair them by id, and put each id into a split."""

from __future__ import annotations

import glob
import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import accumulate, combinations, takewhile
from pathlib import Path, PurePosixPath

from pipeline.core.fields import nearest
from pipeline.core.types import Refusal


def find(where: str, root: Path, pattern: str, problems: list[str]) -> dict[str, str]:
    """The files of ``pattern`` by id, as paths relative to ``root``; one line goes to ``problems`` for each that is
    missing, or in the way of another.

    ``pattern`` is a glob or ``@list`` relative to ``root``, ``where`` its dotted name, for refusals. The id is the
    file's name without its ending, or the part of the name where the glob says ``{id}``, or the word before the path
    in a list's line. Hidden files are not found; a glob's ending also finds files that write it in capitals.

    Raises Refusal when the root or the list is missing, when nothing is found, and for a path that leaves the root.
    """
    if not root.is_dir():
        raise Refusal(f"{root} is no folder: put the data there, or correct {where.rpartition('.')[0]}.root")
    listed = pattern.startswith("@")
    files: dict[str, str] = {}
    for name, path in _listed(where, root, pattern[1:]) if listed else _globbed(where, root, pattern):
        if not name.isprintable() or "/" in name or "\\" in name:
            remedy = "an id has neither slashes nor characters that nobody sees, rename it"
            problems.append(f"{root / path} would have the id {name!r}: {remedy}")
        elif name in files:
            remedy = "rename one, or set both fields to @lists whose lines give an id and a path"
            problems.append(f"{root / path} and {root / files[name]} are both {name}: {remedy}")
        elif (root / path).is_symlink() and not (root / path).exists():
            remedy = "mount its disk, fetch it (git annex get, dvc checkout), or delete the link"
            problems.append(f"{root / path} is a link to {(root / path).readlink()}, which is not here: {remedy}")
        elif not (root / path).is_file():
            problems.append(f"{root / path} is missing, but {root / pattern[1:]} lists it: correct its line")
        else:
            files[name] = path
    return files


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
    before, marker, after = inside(where, root, pattern).rpartition("/")[2].partition("{id}")
    if "{" in pattern.replace("{id}", "", bool(marker)) or (marker and re.search(r"[*?\[]", before + after)):
        raise Refusal(f"{where} is {pattern!r}: the only braces are one {{id}} amid plain text in the file's name")
    stem, dot, ending = pattern.replace("{id}", "*").rpartition(".")
    if dot and not re.search(r"[/\[]", ending):  # CAM1.JPG is of *.jpg
        ending = re.sub(r"[a-zA-Z]", lambda letter: f"[{letter[0].lower()}{letter[0].upper()}]", ending)
    found = glob.glob(stem + dot + ending, root_dir=root, recursive=True)  # noqa: PTH207 - skips hidden files
    paths = sorted(path for path in found if not (root / path).is_dir())
    if not paths:
        here = sorted(entry.name for entry in root.iterdir())[:5]
        raise Refusal(f"{where} is {pattern!r}, which matches no file: {root} holds {', '.join(here) or 'nothing'}")
    for path in paths:
        name = PurePosixPath(path).name
        yield plain(name[len(before) : len(name) - len(after)] if marker else PurePosixPath(path).stem), path


Rule = str | Fraction
"""A list file relative to the root, or the share of ids that a split takes."""


def parse_splits(where: str, texts: Sequence[str]) -> dict[str, Rule]:
    """``["train=lists/train.txt", …]`` or ``["train=0.8", "val=0.2"]``, in the order written.

    Raises Refusal for an entry that is neither, for both kinds together, for a split named twice, and for shares that
    are not above 0 or sum to more than 1 (exactly: 0.7 + 0.2 + 0.1 is 1 here).
    """
    rules: dict[str, Rule] = {}
    for text in texts:
        split, _, value = (piece.strip() for piece in text.partition("="))
        if not value or not re.fullmatch(r"[\w-]+", split) or split in rules:
            shown = f"{where} has {text!r}{' beside another of that name' if split in rules else ''}"
            raise Refusal(f"{shown}: write split=lists/file.txt, or split=0.8 for a share of the images")
        try:
            rules[split] = Fraction(value)
        except (ValueError, ZeroDivisionError):
            rules[split] = value
    shares = [rule for rule in rules.values() if isinstance(rule, Fraction)]
    if shares and len(shares) < len(rules):
        raise Refusal(f"{where} mixes lists with shares: give every split a list, or every split a share")
    if shares and (min(shares) <= 0 or sum(shares) > 1):
        raise Refusal(f"{where} is {', '.join(texts)}: let each share be above 0 and their sum 1 at most")
    return rules


def position(name: str) -> Fraction:
    """Where an id falls in [0, 1): sha256 of its UTF-8 bytes as a big-endian number, over 2²⁵⁶."""
    return Fraction(int.from_bytes(hashlib.sha256(name.encode()).digest()), 1 << 256)


def shared_out(rules: Mapping[str, Fraction], ids: Iterable[str]) -> dict[str, list[str]]:
    """Each split's ids, sorted: those whose position lies below the sum of the shares so far.

    An id's split depends on the id and the shares alone, so images that come later move none.
    """
    bounds = dict(zip(rules, accumulate(rules.values()), strict=True))
    taken: dict[str, list[str]] = {split: [] for split in rules}
    for name in sorted(ids):
        place = position(name)
        split = next((split for split, bound in bounds.items() if place < bound), None)
        if split is not None:
            taken[split].append(name)
    return taken


def listed(where: str, root: Path, path: str, known: Collection[str]) -> list[str]:
    """The ids of a list in its order: a line, its first word, or that as a path without folder and ending.

    The first of these that is ``known``; else the first word. Raises Refusal for a list that is missing or empty.
    """
    found = []
    for line in lines(where, root, path):
        text = plain(line)
        word = text.split()[0]
        found.append(next((name for name in (text, word, PurePosixPath(word).stem) if name in known), word))
    return found


def misfits(
    root: Path, rules: Mapping[str, Rule], splits: Mapping[str, list[str]], known: Collection[str]
) -> Iterator[str]:
    """One line for each id that is listed twice or belongs to no image, and for each two lists that overlap."""
    for split, names in splits.items():
        seen: set[str] = set()
        for name in names:
            if name not in known:
                hint = nearest(name, known) or "take it off the list, or add the image"
                yield f"{root / str(rules[split])} lists {name}, of which there is no image: {hint.strip()}"
            elif name in seen:
                yield f"{root / str(rules[split])} lists {name} twice: each id stands once in a split"
            seen.add(name)
    for one, other in combinations(splits, 2):
        if both := sorted(set(splits[one]) & set(splits[other])):
            more = f" and {len(both) - 1} more" if both[1:] else ""
            lists = " and ".join(str(root / str(rules[split])) for split in (one, other))
            yield f"{lists} both list {both[0]}{more}: an image belongs to one split"
