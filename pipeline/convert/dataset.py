"""What a dataset offers to be converted, and how a process of its own comes by it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, cast

from pipeline.core import plugins
from pipeline.core.types import DatasetSpec, Sample


class Dataset(Protocol):
    """What a file in ``pipeline/datasets`` offers.

    ``read`` yields each wanted id once with its raw bytes, or where they lie, in the order that is cheapest for the
    archive; it runs in the parent. ``sample`` encodes one; it runs in the workers, so it must be a pure function of its
    arguments.
    """

    @property
    def SPEC(self) -> DatasetSpec: ...  # noqa: N802 (a constant, where the dataset is a module)
    def splits(self, raw: Path) -> tuple[str, ...]: ...
    def ids(self, raw: Path, split: str) -> list[str]: ...
    def read(self, raw: Path, wanted: Iterable[str]) -> Iterator[tuple[str, Any]]: ...
    def sample(self, name: str, parts: Any) -> Sample: ...


Source = Callable[[], Dataset]
"""Gives the dataset in any process: it is pickled for the workers, which a module cannot be."""


def plugin(name: str) -> Dataset:
    """``pipeline/datasets/<name>.py``; ``partial(plugin, "voc")`` is VOC's ``Source``."""
    return cast(Dataset, plugins.load("datasets", name))
