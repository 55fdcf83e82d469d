"""Read how many samples each split has, written in params.yaml as a list: ``[train=1464, val=1449]``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.core.types import Refusal


def parse(name: str, texts: Sequence[str], wanted: Sequence[str], *, several: bool = False) -> dict[str, list[int]]:
    """``["train=1464", …]`` → ``{"train": [1464], …}``; where ``several`` may stand, also ``train=120|1464``.

    ``name`` is the list's dotted name, for refusals. A list, for rows differ in their splits.
    Raises Refusal for an entry that is no ``split=number``, and unless it names exactly the ``wanted`` splits.
    """
    counts = {}
    for text in texts:
        found = re.fullmatch(r"(.+)=(\d+(?:\|\d+)*)" if several else r"(.+)=(\d+)", text)
        if not found:
            raise Refusal(f"{name} has {text!r}: write it as split=number")
        counts[found[1]] = [int(number) for number in found[2].split("|")]
    if set(counts) != set(wanted):
        raise Refusal(f"{name} counts {', '.join(counts)}: count {', '.join(wanted)}, each once")
    return counts
