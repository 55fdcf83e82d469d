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
    """Write all of ``plan``, reading the archive once for every ``HELD`` rows."""
    if processes == 1:
        for wave in waves(plan):
            yield from write_shards(conversion, wave)
        return
    # a fork of a process with threads may hang
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for wave in waves(plan):
            yield from write_shards(conversion, wave, partial(_pooled, pool, 2 * processes))


def _pooled(
    pool: ProcessPoolExecutor, ahead: int, conversion: Conversion, parts: Iterator[tuple[str, Any]]
) -> Iterator[Checked]:
    """``Rows`` in ``pool``, reading at most ``ahead`` batches before they are done."""
    batches = iter(lambda: list(islice(parts, BATCH)), [])
    pending: deque[Future[list[Checked]]] = deque()
    try:
        for batch in batches:
            pending.append(pool.submit(_batch, conversion, batch))
            if len(pending) > ahead:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()


def _batch(conversion: Conversion, batch: Sequence[tuple[str, Any]]) -> list[Checked]:
    return list(in_turn(conversion, batch))
