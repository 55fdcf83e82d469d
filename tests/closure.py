"""The first-party files that importing a module runs, read off the source without importing anything."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FIRST_PARTY = ("pipeline", "stages", "ops")
LOOKS_ON = ("stages/_live.py", "pipeline/watching/")  # are told what a stage does and return nothing: no output depends


def closure(start: str) -> set[str]:
    """``start`` and every first-party file it imports, directly or not, as paths from the repository's root.

    Whoever looks on is left out, unless it is ``start``: `test_layering` holds it to saying nothing.
    """
    seen: set[str] = set()
    queue = [start]
    while queue:
        path = queue.pop()
        if path not in seen and (path == start or start.startswith(LOOKS_ON) or not path.startswith(LOOKS_ON)):
            seen.add(path)
            queue += imports(path)
    return seen


def imports(path: str) -> list[str]:
    """The first-party files that ``path`` imports anywhere in it, also inside functions."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return sorted({file for name in imported_names(tree) if (file := _file(name))})


def imported_names(tree: ast.AST) -> Iterator[str]:
    """Every module a source text imports; ``from a import b`` yields both ``a`` and ``a.b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"relative import of {node.module}"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _file(name: str) -> str | None:
    path = Path(*name.split(".")).with_suffix(".py")
    return path.as_posix() if name.split(".")[0] in FIRST_PARTY and (ROOT / path).is_file() else None
