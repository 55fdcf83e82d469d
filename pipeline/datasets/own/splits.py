"""Which split each id is in: by shares of a hash, by lists, by folders; groups stay together."""

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import accumulate, combinations
from pathlib import Path, PurePosixPath

from pipeline.core.fields import nearest
from pipeline.core.types import Refusal
from pipeline.datasets.own.find import inside, lines
from pipeline.datasets.own.pattern import plain, translated

Rule = str | Fraction
"""A list file or a folder relative to the root, or the share of ids that a split takes."""


def parse(where: str, texts: Sequence[str]) -> dict[str, Rule]:
    """``["train=lists/train.txt", "val=images/val", …]`` or ``["train=0.8", "val=0.2"]``, in the order written.

    Raises Refusal for an entry that is neither, for both kinds together, for a split named twice, and for shares that
    are not above 0 or sum to more than 1 (exactly: 0.7 + 0.2 + 0.1 is 1 here).
    """
    rules: dict[str, Rule] = {}
    for text in texts:
        split, _, value = (piece.strip() for piece in text.partition("="))
        if not value or not re.fullmatch(r"[\w-]+", split) or split in rules:
            shown = f"{where} has {text!r}{' beside another of that name' if split in rules else ''}"
            raise Refusal(
                f"{shown}: write split=lists/file.txt, split=images/folder, or split=0.8 for a share of the images"
            )
        try:
            huge = re.search(r"e\+?\d{3}", value, re.IGNORECASE)  # 1e999999999 would be computed, for hours
            rules[split] = value if huge else Fraction(value)
        except (ValueError, ZeroDivisionError):
            rules[split] = value
    shares = [rule for rule in rules.values() if isinstance(rule, Fraction)]
    if shares and len(shares) < len(rules):
        raise Refusal(
            f"{where} mixes lists or folders with shares: give every split a list or folder, or every split a share"
        )
    if shares and (min(shares) <= 0 or sum(shares) > 1):
        raise Refusal(f"{where} is {', '.join(texts)}: let each share be above 0 and their sum 1 at most")
    return rules


def position(name: str) -> Fraction:
    """Where an id falls in [0, 1): sha256 of its UTF-8 bytes as a big-endian number, over 2²⁵⁶."""
    return Fraction(int.from_bytes(hashlib.sha256(name.encode()).digest()), 1 << 256)


def shared_out(
    rules: Mapping[str, Fraction], ids: Iterable[str], group: Callable[[str], str] = str
) -> dict[str, list[str]]:
    """Each split's ids, sorted: those whose group's position lies below the sum of the shares so far.

    An id's split depends on its group and the shares alone, so images that come later move none.
    """
    bounds = dict(zip(rules, accumulate(rules.values()), strict=True))
    taken: dict[str, list[str]] = {split: [] for split in rules}
    for name in sorted(ids):
        place = position(group(name))
        split = next((split for split, bound in bounds.items() if place < bound), None)
        if split is not None:
            taken[split].append(name)
    return taken


def listed(where: str, root: Path, path: str, known: Mapping[str, str]) -> list[str]:
    """The ids of a split: of a folder all images that lie in it, sorted; of a list its lines, in their order.

    ``known`` has the images' paths by id. A line gives an id, also as its first word or as a path without folder and
    ending, or an image's path; what is none of these stands for itself. Raises Refusal for a list that is missing or
    empty, and for a folder without an image.
    """
    if (root / inside(where, root, path)).is_dir():
        if found := sorted(name for name, image in known.items() if PurePosixPath(image).is_relative_to(path)):
            return found
        raise Refusal(f"{where} names the folder {root / path}, in which images finds none: correct one of them")
    by_path = {image: name for name, image in known.items()}
    found = []
    for line in lines(where, root, path):
        text = plain(line)
        word = text.split()[0]
        ways = (text, word, by_path.get(text, ""), by_path.get(word, ""), PurePosixPath(word).stem)
        found.append(next((name for name in ways if name in known), word))
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
            yield f"{lists} both hold {both[0]}{more}: an image belongs to one split"


def grouped(where: str, pattern: str | None) -> Callable[[str], str]:
    """The group of an id, as ``pattern`` says: ``{group}_*`` keeps cam_1_0001 with cam_1_0002; None: each its own.

    ``{group}`` takes as much as it can, also slashes; ``*`` and ``?`` take none. Raises Refusal, when called, for an
    id that does not fit.
    """
    if pattern is None:
        return lambda name: name
    if re.findall(r"\{.*?\}|[{}]", pattern) != ["{group}"] or pattern == "{group}":
        raise Refusal(f"{where} is {pattern!r}: write one {{group}} and what follows or precedes it, as {{group}}_*")
    try:
        regex = re.compile(translated(pattern, {"{group}": "(?P<group>.+)"}))
    except re.error as error:
        raise Refusal(f"{where} is {pattern!r}, of which [] is not understood ({error}): write such as [a-z]") from None

    def one(name: str) -> str:
        if match := regex.fullmatch(name):
            return match["group"]
        raise Refusal(f"the id {name} does not fit {where}, {pattern!r}: rename it, or correct the pattern")

    return one


def split_apart(group: Callable[[str], str], splits: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """One line for the first group of which two splits hold a part."""
    seen: dict[str, tuple[str, str]] = {}
    for split, names in splits.items():
        for name in names:
            other, first = seen.setdefault(group(name), (split, name))
            if other != split:
                both = f"{first} of {other} and {name} of {split}"
                yield f"{both} are of one group, {group(name)}: put them into one split"
                return
