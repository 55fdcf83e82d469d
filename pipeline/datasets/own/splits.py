"""Who is in which split: ids listed in files, or shares of all ids decided by each id's own hash."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from fractions import Fraction
from itertools import accumulate, combinations
from pathlib import Path, PurePosixPath

from pipeline.core.types import Refusal
from pipeline.datasets.own import pairs
from pipeline.datasets.own.row import Row

Rule = str | Fraction
"""A list file relative to the root, or the share of ids that a split takes."""


def parse(row: Row) -> dict[str, Rule]:
    """``["train=lists/train.txt", …]`` or ``["train=0.8", "val=0.2"]``, in the order written.

    Raises Refusal for an entry that is neither, for both kinds together, for a split named twice, and for shares that
    are not above 0 or sum to more than 1 (exactly: 0.7 + 0.2 + 0.1 is 1 here).
    """
    where = f"{row.name}.splits"
    rules: dict[str, Rule] = {}
    for text in row.splits:
        split, _, value = (piece.strip() for piece in text.partition("="))
        if not value or not re.fullmatch(r"[\w-]+", split):
            raise Refusal(f"{where} has {text!r}: write split=lists/file.txt, or split=0.8 for a share of the images")
        if split in rules:
            raise Refusal(f"{where} names {split} twice: give it one list or one share")
        rules[split] = _rule(where, text, value)
    shares = [rule for rule in rules.values() if isinstance(rule, Fraction)]
    if shares and len(shares) < len(rules):
        raise Refusal(f"{where} mixes lists with shares: give every split a list, or every split a share")
    if sum(shares) > 1:
        raise Refusal(f"{where} shares out {float(sum(shares))} of the images: let the shares sum to 1 at most")
    return rules


def _rule(where: str, text: str, value: str) -> Rule:
    try:
        share = Fraction(value)
    except (ValueError, ZeroDivisionError):
        return value
    if share <= 0:
        raise Refusal(f"{where} has {text!r}: a share is above 0 and at most 1")
    return share


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


def listed(row: Row, root: Path, rules: Mapping[str, str], known: Collection[str]) -> dict[str, list[str]]:
    """Each split's ids in its list's order: a line that is an id, spaces and all, or the line's first word.

    Raises Refusal for a list that is missing or empty.
    """
    found = {}
    for split, path in rules.items():
        texts = [pairs.plain(line) for line in pairs.lines(f"{row.name}.splits", root, path)]
        found[split] = [text if text in known else text.split()[0] for text in texts]
    return found


def misfits(
    row: Row, root: Path, rules: Mapping[str, str], splits: Mapping[str, list[str]], known: Collection[str]
) -> Iterator[str]:
    """One line for each id that is listed twice or belongs to no image, and for each two lists that overlap."""
    for split, names in splits.items():
        seen: set[str] = set()
        for name in names:
            if name in seen:
                yield f"{root / rules[split]} lists {name} twice: each id stands once in a split"
            elif name not in known:
                yield f"{root / rules[split]} lists {name}, of which there is no image: {_remedy(name, known)}"
            seen.add(name)
    for one, other in combinations(splits, 2):
        if both := sorted(set(splits[one]) & set(splits[other])):
            yield (
                f"{root / rules[one]} and {root / rules[other]} both list {both[0]}"
                f"{f' and {len(both) - 1} more' if both[1:] else ''}: an image belongs to one split"
            )


def _remedy(name: str, known: Collection[str]) -> str:
    stem = PurePosixPath(name).stem
    if stem in known:
        return f"write {stem}, for a list holds ids"
    close = get_close_matches(name, sorted(known), n=1)
    return f"did you mean {close[0]}?" if close else "take it off the list, or add the image"
