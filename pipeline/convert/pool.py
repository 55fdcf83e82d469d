"""Convert on one machine: the parent reads and writes, a pool of processes encodes and checks the rows."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from itertools import islice
from multiprocessing import get_context
from typing import Any

from pipeline.convert.check import Checked
from pipeline.convert.write_shard import Conversion, Planned, Written, in_turn, waves, write_shards

BATCH = 16  # samples a process gets at once


def written(conversion: Conversion, plan: Sequence[Planned], processes: int) -> Generator[Written, None, None]:
    """Write all of ``plan``, reading the archive once for every ``WAVE`` rows."""
    # not by fork: that of a process with threads may hang
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn")) if processes > 1 else None
    rows = partial(_pooled, pool, 2 * processes) if pool else in_turn
    try:
        for wave in waves(plan):
            yield from write_shards(conversion, wave, rows)
    finally:
        if pool:
            pool.shutdown(cancel_futures=True)


def _pooled(
    pool: ProcessPoolExecutor, prefetch: int, conversion: Conversion, parts: Iterator[tuple[str, Any]]
) -> Iterator[Checked]:
    """``Rows`` in ``pool``, reading at most ``prefetch`` batches before they are done."""
    pending: deque[Future[list[Checked]]] = deque()
    while batch := list(islice(parts, BATCH)):
        pending.append(pool.submit(_batch, conversion, batch))
        if len(pending) > prefetch:
            yield from pending.popleft().result()
    for future in pending:
        yield from future.result()


def _batch(conversion: Conversion, batch: Sequence[tuple[str, Any]]) -> list[Checked]:
    return list(in_turn(conversion, batch))
