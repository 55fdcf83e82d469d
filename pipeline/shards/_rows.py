"""A dataset's samples, encoded and checked by a pool of processes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from typing import Any

from pipeline.shards._check import Checked, checked
from pipeline.shards.dataset import Source
from pipeline.types import Refusal

BATCH = 16  # samples a process gets at once


def pool_of(processes: int) -> ProcessPoolExecutor:
    """Workers that start clean."""
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"))  # a fork of a process with threads may hang


def checked_rows(
    name: str, source: Source, parts: Iterator[tuple[str, Any]], pool: ProcessPoolExecutor | None, ahead: int
) -> Iterator[Checked]:
    """Encode and check what ``parts`` yields, in its order, reading at most ``ahead`` batches before they are done."""
    batches = iter(lambda: list(islice(parts, BATCH)), [])
    if pool is None:
        for batch in batches:
            yield from _check_batch(name, source, batch)
        return
    pending: deque[Future[list[Checked]]] = deque()
    try:
        for batch in batches:
            pending.append(pool.submit(_check_batch, name, source, batch))
            if len(pending) > ahead:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()


def _check_batch(name: str, source: Source, batch: Sequence[tuple[str, Any]]) -> list[Checked]:
    dataset = source()
    spec = dataset.SPEC
    try:
        return [checked(spec, dataset.sample(sample, parts)) for sample, parts in batch]
    except Refusal as refusal:
        raise Refusal(f"{name}: {refusal}") from None
