"""Who is in which split: ids listed in files, or shares of all ids decided by each id's own hash."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import accumulate, combinations
from pathlib import Path, PurePosixPath

from pipeline.core.fields import nearest
from pipeline.core.types import Refusal
from pipeline.datasets.own import find

Rule = str | Fraction
"""A list file relative to the root, or the share of ids that a split takes."""


def parse(where: str, texts: Sequence[str]) -> dict[str, Rule]:
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
    for line in find.lines(where, root, path):
        text = find.plain(line)
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
