"""What a dataset plugin offers, and its samples encoded and checked by a pool of processes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol, cast

from pipeline import plugins
from pipeline.shards._check import Checked, checked
from pipeline.types import DatasetSpec, Refusal, Sample

BATCH = 16  # samples a process gets at once


class Dataset(Protocol):
    """What a file in ``pipeline/datasets`` offers.

    ``read`` yields each wanted id once with its raw bytes, in the order that is cheapest for the archive; it runs in
    the parent. ``sample`` encodes one; it runs in the workers, so it must be a pure function of its arguments.
    """

    SPEC: DatasetSpec
    SPLITS: tuple[str, ...]

    def ids(self, raw: Path, split: str) -> list[str]: ...
    def read(self, raw: Path, wanted: Iterable[str]) -> Iterator[tuple[str, Any]]: ...
    def sample(self, name: str, parts: Any) -> Sample: ...


def pool_of(processes: int) -> ProcessPoolExecutor:
    """Workers that start clean."""
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"))  # a fork of a process with threads may hang


def checked_rows(
    name: str, parts: Iterator[tuple[str, Any]], pool: ProcessPoolExecutor | None, ahead: int
) -> Iterator[Checked]:
    """Encode and check what ``parts`` yields, in its order, reading at most ``ahead`` batches before they are done."""
    batches = iter(lambda: list(islice(parts, BATCH)), [])
    if pool is None:
        for batch in batches:
            yield from _check_batch(name, batch)
        return
    pending: deque[Future[list[Checked]]] = deque()
    try:
        for batch in batches:
            pending.append(pool.submit(_check_batch, name, batch))
            if len(pending) > ahead:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()


def _check_batch(name: str, batch: Sequence[tuple[str, Any]]) -> list[Checked]:
    dataset = cast(Dataset, plugins.load("datasets", name))
    try:
        return [checked(dataset.SPEC, dataset.sample(sample, parts)) for sample, parts in batch]
    except Refusal as refusal:
        raise Refusal(f"{name}: {refusal}") from None
