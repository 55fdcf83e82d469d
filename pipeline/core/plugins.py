"""Load a plugin by its file name: ``load("datasets", "voc")`` is ``pipeline/datasets/voc.py``."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

from pipeline.core.types import Refusal

ROOT = Path(__file__).parents[1]


def names(kind: str) -> list[str]:
    """The plugins of ``kind``, sorted; a leading underscore marks a file its siblings share."""
    return sorted(path.stem for path in (ROOT / kind).glob("[!_]*.py"))


def load(kind: str, name: str) -> ModuleType:
    """Import ``pipeline.<kind>.<name>``; refuse an unknown name by telling which exist."""
    if name not in names(kind):
        raise Refusal(f"unknown {kind.removesuffix('s')} {name!r}: pipeline/{kind} has {', '.join(names(kind))}")
    return import_module(f"pipeline.{kind}.{name}")
