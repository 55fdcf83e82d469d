"""Which photographs VOC and SBD list, and their sizes: functions of seed and counts, so that both agree unasked.

Every id comes from one of five pools, which never share an id:

    pool       VOC               SBD
    novice     train             train, every second one
    held_out   val, seg11valid   –
    shared     val               train
    extra      –                 train
    spare      –                 val

SBD's train list takes ``held_out // 2`` ids of the shared pool, so VOC's val list holds at most that many of them.
"""

from __future__ import annotations

from pipeline.core.types import Refusal
from pipeline.miniature.shared.chance import Chance
from pipeline.miniature.shared.things import NAMES

_POOLS = ("novice", "held_out", "shared", "extra", "spare")


def seg11valid(seed: int, held_out: int) -> list[str]:
    """The ids that training may never see: VOC val minus SBD train, sorted."""
    return sorted(_pool(seed, "held_out", held_out))


def voc_train(seed: int, train: int) -> list[str]:
    """VOC's train ids, sorted."""
    return sorted(_pool(seed, "novice", train))


def voc_val(seed: int, val: int, held_out: int) -> list[str]:
    """VOC's val ids, sorted: all of seg11valid, and others that SBD trains on.

    Raises Refusal unless ``held_out`` ≤ ``val`` ≤ 1.5 × ``held_out``.
    """
    shared = val - held_out
    if not 0 <= shared <= held_out // 2:
        raise Refusal(
            f"miniature voc: val {val} does not fit held_out {held_out}: "
            f"set val in miniatures.voc.counts between {held_out} and {held_out + held_out // 2}"
        )
    return sorted(_pool(seed, "held_out", held_out) + _pool(seed, "shared", shared))


def sbd_train(seed: int, train: int, held_out: int) -> list[str]:
    """SBD's train ids, sorted: one in twenty from VOC train, those VOC val shares, the rest SBD's own.

    Raises Refusal if ``train`` is too small for the images that VOC val may share.
    """
    novices, shared = train // 20, held_out // 2
    if novices + shared > train:
        raise Refusal(
            f"miniature sbd: train {train} cannot hold the {shared} images that VOC val may share: "
            "raise train or lower held_out in miniatures.sbd.counts"
        )
    return sorted(
        _pool(seed, "novice", 2 * novices)[::2]
        + _pool(seed, "shared", shared)
        + _pool(seed, "extra", train - novices - shared)
    )


def sbd_val(seed: int, val: int) -> list[str]:
    """SBD's val ids, sorted."""
    return sorted(_pool(seed, "spare", val))


def frame(seed: int, name: str, side: int) -> tuple[int, int]:
    """An image's (height, width) in pixels: ``side`` on the long edge, mostly landscape, as VOC's photographs vary."""
    chance = Chance(seed, "frame", name)
    long, short = side, round(side * chance.pick((0.75, 0.75, 0.75, 0.66, 0.7, 0.8, 0.94)))
    return (long, short) if chance.happens(0.25) else (short, long)


def _pool(seed: int, name: str, count: int) -> list[str]:
    """The first ``count`` ids of a pool; their last two digits modulo 20 run through the classes in turn."""
    return [_id(seed, _POOLS.index(name), k) for k in range(count)]


def _id(seed: int, pool: int, k: int) -> str:
    number = (k * len(_POOLS) + pool) * len(NAMES) + (k // 2 + 10 * (k % 2) + 7 * pool) % len(NAMES)
    year = Chance(seed, "year", str(number)).whole(2007, 2012)
    return f"{year}_{number:06d}"
