"""Patterns of a row: which files a glob means, and what each path says of its id and its class."""

import glob
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pipeline.core.types import Refusal

_TOKEN = re.compile(r"\{\w+\}|\*\*|\*|\?|\[[^]/]+\]|.")
_WILD = re.compile(r"[*?\[]")
SPLITS = {
    word: split
    for split, words in {"train": "train training", "val": "val valid validation", "test": "test testing"}.items()
    for word in words.split()
}
"""The splits by the words that folders of them are named with."""


class Match(NamedTuple):
    """A file that a pattern finds; ``kind`` is what ``{class}`` matched, ``known`` whether it names a class."""

    id: str
    path: str
    kind: str = ""
    known: bool = True


def globbed(where: str, root: Path, pattern: str, kinds: Collection[str]) -> Iterator[Match]:
    """Every file that ``pattern`` matches below ``root``, sorted; hidden files are not found.

    The id is what wildcards in folders match, then what ``{id}`` matches, or without ``{id}`` the file's name without
    its ending: ``*/rgb/*.png`` finds a/rgb/01.png as ``a/01``. ``{split}`` matches one of ``SPLITS``, a part of the id,
    and passes over what has none there. ``{class}`` matches one of ``kinds``. Endings match in capitals too.
    Raises Refusal for other braces, and where nothing is found.
    """
    pattern = str(PurePosixPath(pattern))  # ./images//*.jpg is images/*.jpg
    _check(where, pattern, bool(kinds))
    stem, dot, ending = re.sub(r"\{\w+\}", "*", pattern).rpartition(".")
    if dot and not re.search(r"[/\[]", ending):  # CAM1.JPG is of *.jpg
        ending = re.sub(r"[a-zA-Z]", lambda letter: f"[{letter[0].lower()}{letter[0].upper()}]", ending)
    found = glob.glob(stem + dot + ending, root_dir=root, recursive=True)  # noqa: PTH207 - skips hidden files
    paths = sorted(path for path in found if not (root / path).is_dir())
    if not paths:
        here = sorted(entry.name for entry in root.iterdir())[:5]
        raise Refusal(f"{where} is {pattern!r}, which matches no file: {root} holds {', '.join(here) or 'nothing'}")
    known = {plain(kind): kind for kind in kinds}
    strict, loose = (_regex(plain(pattern), names) for names in (known, ()))
    for path in paths:
        if match := strict.fullmatch(plain(path)):
            yield Match(_id(match), path, known[match["class"]] if known else "")
        elif match := loose.fullmatch(plain(path)):
            yield Match(_id(match), path, match["class"], known=False)
        elif "{split}" not in pattern:
            raise Refusal(f"{where} is {pattern!r}, by which {path} has no id: use *, ?, ** and [a-z] alone")


def plain(name: str) -> str:
    """A name in one spelling: macOS writes ä as two characters, Linux as one."""
    return unicodedata.normalize("NFC", name)


def _check(where: str, pattern: str, classed: bool) -> None:
    marks, (*_, last) = re.findall(r"\{.*?\}|[{}]", pattern), pattern.split("/")
    beside = any("{" in part and _WILD.search(part.rpartition(".")[0] or part) for part in pattern.split("/"))
    if {*marks} - {"{id}", "{class}", "{split}"} or len({*marks}) < len(marks) or beside:
        raise Refusal(
            f"{where} is {pattern!r}: the only braces are one {{id}} and one {{class}} amid plain text, or {{split}}"
        )
    if ("{class}" in marks) != classed:
        wanted = "{class} for the class's name" if classed else "it only where the encoding is masks"
        raise Refusal(f"{where} is {pattern!r}: write {wanted}, as in masks/{{id}}_{{class}}.png")
    if "{class}" in last and "{id}" not in marks:
        raise Refusal(f"{where} is {pattern!r}: write {{id}} for the rest of the file's name")


def _regex(pattern: str, kinds: Iterable[str]) -> re.Pattern[str]:
    """Groups ``k…`` and ``id`` make the id in their order, ``name`` is a file's name of which the stem counts."""
    *folders, last = pattern.split("/")
    kind = "|".join(re.escape(one) for one in sorted(kinds, key=len, reverse=True)) or "[^/]+"
    marks = {
        "{id}": "(?P<id>[^/]+?)",
        "{class}": f"(?P<class>{kind})",
        "{split}": f"(?P<split>(?i:{'|'.join(SPLITS)}))",
    }
    text = ""
    for place, folder in enumerate(folders):
        if folder == "**":
            text += f"(?P<k{place}>(?:[^/]+/)*)"
        else:
            part = translated(folder, marks)
            text += f"(?P<k{place}>{part})/" if _WILD.search(folder) else f"{part}/"
    stem, dot, ending = last.rpartition(".")
    name = translated(stem, marks) + (rf"\.(?i:{translated(ending, marks)})" if dot else translated(ending, marks))
    named = "{id}" not in pattern and (_WILD.search(last) or not re.search(r"\(\?P<k", text))
    return re.compile(text + (f"(?P<name>{name})" if named else name))


def translated(text: str, marks: Mapping[str, str]) -> str:
    """A regular expression for a glob without ``**``; ``marks`` has those for words in braces."""
    special = {"*": "[^/]*", "**": "[^/]*", "?": "[^/]", **marks}
    return "".join(special.get(token) or _set(token) for token in _TOKEN.findall(text))


def _set(token: str) -> str:
    if len(token) == 1 or token == "[!]" or token[0] != "[":
        return re.escape(token)
    letters = re.sub(r"([\\^\[&~|])", r"\\\1", token[1:-1])
    return f"[^{letters[1:]}]" if letters[0] == "!" else f"[{letters}]"


def _id(match: re.Match[str]) -> str:
    parts = [PurePosixPath(value).stem if key == "name" else value for key, value in match.groupdict().items()]
    kept = zip(match.groupdict(), parts, strict=True)
    return "/".join(value.strip("/") for key, value in kept if key != "class" and value.strip("/"))
