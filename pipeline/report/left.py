"""What evaluations left beside their scores, file by file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

Content = TypeVar("Content")


def left(evaluations: Path, recipes: Sequence[str], name: str, read: Callable[[Path], Content]) -> dict[str, Content]:
    """What ``read`` makes of ``evaluations``/recipe/``name``, by recipe, of those that have the file."""
    paths = {recipe: evaluations / recipe / name for recipe in recipes}
    return {recipe: read(path) for recipe, path in paths.items() if path.is_file()}
