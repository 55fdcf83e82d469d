"""Read how many samples each split has, written in params.yaml as a list: ``[train=1464, val=1449]``."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.types import Refusal


def parse(name: str, texts: Sequence[str], wanted: Sequence[str]) -> dict[str, int]:
    """``["train=1464", …]`` → ``{"train": 1464, …}``; ``name`` is the list's dotted name, for refusals.

    A list, for DVC keys its cache on leaves and rows differ in their splits.
    Raises Refusal for an entry that is no ``split=number``, and unless it names exactly the ``wanted`` splits.
    """
    several = alternatives(name, texts, wanted)
    for split, numbers in several.items():
        if len(numbers) > 1:
            raise Refusal(f"{name} gives {split} {len(numbers)} numbers: give it one")
    return {split: numbers[0] for split, numbers in several.items()}


def alternatives(name: str, texts: Sequence[str], wanted: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """``["train=120|1464", …]`` → ``{"train": (120, 1464), …}``: any of the numbers will do. Raises as ``parse``."""
    counts = {}
    for text in texts:
        split, separator, numbers = str(text).partition("=")
        if not separator or not all(number.isdecimal() for number in numbers.split("|")):
            raise Refusal(f"{name} has {text!r}: write it as split=number")
        counts[split] = tuple(int(number) for number in numbers.split("|"))
    if set(counts) != set(wanted):
        raise Refusal(f"{name} counts {', '.join(counts)}: count {', '.join(wanted)}, each once")
    return counts
