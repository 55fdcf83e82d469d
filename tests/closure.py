"""The first-party files that importing a module runs, read off the source without importing anything."""

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
    return sorted({file for name in imported_names(tree) for file in _files(name)})


def imported_names(tree: ast.AST) -> Iterator[str]:
    """Every module a source text imports; ``from a import b`` yields both ``a`` and ``a.b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"relative import of {node.module}"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _files(name: str) -> Iterator[str]:
    """The file of a module, and of each package that it lies in the ``__init__.py``, unless that is empty."""
    steps = name.split(".")
    if steps[0] not in FIRST_PARTY:
        return
    packages = [Path(*steps[:depth], "__init__.py") for depth in range(1, len(steps) + 1)]
    for path in [*packages, Path(*steps).with_suffix(".py")]:
        if (ROOT / path).is_file() and (ROOT / path).stat().st_size:
            yield path.as_posix()
