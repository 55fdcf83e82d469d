"""Who converts: processes of this machine, to which the parent reads, or a Ray cluster, whose tasks read themselves."""

import os
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from pipeline.convert.check import Checked
from pipeline.convert.write_shard import Conversion, Planned, Written, in_turn, waves, write_shards
from pipeline.core.types import Refusal

BATCH = 16  # samples a process gets at once


def by_processes(conversion: Conversion, plan: Sequence[Planned], processes: int) -> Generator[Written, None, None]:
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


def by_ray(conversion: Conversion, plan: Sequence[Planned]) -> Generator[Written, None, None]:
    """Write all of ``plan`` on the cluster of ``RAY_ADDRESS``, the one running on this machine, or one started for it.

    Its machines need one file system, and find this code in the working directory, as stages do. A task costs one pass
    over an archive that is a stream, as SBD's is, and there are never more tasks than shards.

    Raises Refusal where Ray is not installed or there is no such cluster, and what a task refuses.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it reports to its makers otherwise
    try:
        import ray

        ray.init(configure_logging=False, log_to_driver=False)
    except ImportError:
        remedy = "pip install 'fcn-pipeline[ray]', or set it to pool"
        raise Refusal(f"parquet.engine is ray, which is not installed: {remedy}") from None
    except ConnectionError as error:
        remedy = "see that it runs, and RAY_ADDRESS and RAY_AUTH_MODE, or set parquet.engine to pool"
        raise Refusal(f"{error}: {remedy}") from None
    size = -(-len(plan) // max(1, int(ray.cluster_resources().get("CPU", 1))))  # shards a task: all CPUs are busy
    shares = [wave for start in range(0, len(plan), size) for wave in waves(plan[start : start + size])]
    tasks = [ray.remote(_write).remote(Path.cwd(), conversion, share) for share in shares]
    try:
        for done in tasks:
            yield from ray.get(done)
    except ray.exceptions.RayTaskError as error:
        raise (error.cause if isinstance(error.cause, Refusal) else error) from None
    finally:
        _, unfinished = ray.wait(tasks, num_returns=len(tasks), timeout=0)
        for task in unfinished:  # not by force: Ray 2.60's driver aborted where a task ended meanwhile
            ray.cancel(task)
        ray.wait(tasks, num_returns=len(tasks))  # none may write into a folder that the caller then removes
        ray.shutdown()


def _write(root: Path, conversion: Conversion, plan: Sequence[Planned]) -> list[Written]:
    """The task; ``root`` is the folder that the conversion's paths are relative to, for rows and refusals name them."""
    os.chdir(root)
    return list(write_shards(conversion, plan))
