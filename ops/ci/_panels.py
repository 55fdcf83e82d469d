"""The pictures of a report: what a net makes of the first image, before and after, where its scores changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dvc.api import DVCFileSystem

from ops.ci._scores import Change
from pipeline.published import ladder

MOST = 6  # recipes with pictures


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A PNG of eval/<recipe>/panels; ``name`` has its digest, so that no cache shows an earlier one."""

    name: str
    png: bytes


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A recipe's panel now, and of the same image at the base where DVC can get at it."""

    recipe: str
    before: Panel | None
    after: Panel


def pairs(root: Path, base: str | None, changed: Sequence[Change]) -> list[Pair]:
    """Of the ``MOST`` recipes whose mean IU changed most, in ladder order; of a new one as if by all of it."""
    size: dict[str, float] = {}
    for change in changed:
        points = 100.0 if change.points is None else abs(change.points)
        size[change.recipe] = max(points, size.get(change.recipe, 0.0))
    then = DVCFileSystem(repo=str(root), rev=base) if base and size else None
    found: list[Pair] = []
    for recipe in sorted(size, key=lambda recipe: -size[recipe]):
        first = next(iter(sorted((root / "eval" / recipe / "panels").glob("*.png"))), None)
        if first is not None and len(found) < MOST:
            before = _at(then, first.relative_to(root).as_posix()) if then else None
            found.append(
                Pair(
                    recipe=recipe,
                    before=_panel(recipe, "before", before) if before else None,
                    after=_panel(recipe, "after", first.read_bytes()),
                )
            )
    return sorted(found, key=lambda pair: ladder.place(pair.recipe))


def files(found: Sequence[Pair]) -> Mapping[str, bytes]:
    """All PNGs by file name."""
    return {panel.name: panel.png for pair in found for panel in (pair.before, pair.after) if panel}


def _at(then: DVCFileSystem, path: str) -> bytes | None:
    """From DVC's cache or else its remote; None where neither gives it, whatever they raise."""
    try:
        return bytes(then.read_bytes(path))
    except Exception:
        return None


def _panel(recipe: str, when: str, png: bytes) -> Panel:
    return Panel(name=f"{recipe}-{when}-{hashlib.sha256(png).hexdigest()[:8]}.png", png=png)
