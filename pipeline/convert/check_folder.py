"""Walk through every pair of a folder as converting does, and gather all problems, or what there is to know."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from pipeline.convert.check import checked
from pipeline.convert.write_shard import sums
from pipeline.core.types import Refusal, visible
from pipeline.datasets.own import folder


def check(name: str, row: Mapping[str, object]) -> tuple[list[str], list[str]]:
    """Every problem, a line each and at most one a pair; and, where there is none, the facts, a few lines.

    Raises Refusal where there is nothing to walk through: an unreadable row, no root, no pair.
    """
    parsed = folder.parse(name, row)
    found = parsed.survey(Path(parsed.row.root))
    names = sorted({one for ids in found.splits.values() for one in ids} & found.images.keys() & found.labels.keys())
    problems, pixels, sizes = list(found.problems), {}, set()
    for one in tqdm(names, desc=name, unit="pair", disable=None):
        try:
            pair = checked(parsed.SPEC, parsed.sample(one, found.read(one)))
        except Refusal as refusal:
            problems.append(str(refusal))
            continue
        pixels[one] = pair.pixels["semantic"]
        sizes.add((pair.sample.height * pair.sample.width, f"{pair.sample.height}×{pair.sample.width}"))
    if problems:
        return [visible(line) for line in problems], []
    counts = ", ".join(f"{split} {len(ids)}" for split, ids in found.splits.items())
    facts = [
        f"{name}: {counts} of {len(found.images)} images",
        *([f"not used: {found.unused}"] if found.unused else []),
        f"height×width: {' to '.join(dict.fromkeys((min(sizes)[1], max(sizes)[1])))}",
    ]
    totals = {split: sums(pixels[one] for one in ids) for split, ids in found.splits.items()}
    return [], [*facts, *_shares((*parsed.coding.label.classes, "void"), totals)]


def _shares(names: Sequence[str], totals: Mapping[str, Sequence[int]]) -> Iterator[str]:
    """A line a class, and void last: its share of each split's pixels."""
    for place, name in enumerate(names):
        shares = (f"{split} {100 * pixels[place] / sum(pixels):.2f} %" for split, pixels in totals.items())
        yield f"{name:<{max(map(len, names))}}  {'  '.join(shares)}"
