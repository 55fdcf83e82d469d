"""Convert on a Ray cluster: every task reads the archive itself and writes whole shards.

Its machines need one file system, and find this code in the working directory, as stages do. A task costs one pass
over an archive that is a stream, as SBD's is, and there are never more tasks than shards.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.convert.write_shard import Conversion, Planned, Written, waves, write_shards
from pipeline.core.types import Refusal


def written(conversion: Conversion, plan: Sequence[Planned]) -> Generator[Written, None, None]:
    """Write all of ``plan`` on the cluster of ``RAY_ADDRESS``, the one running on this machine, or one started for it.

    Raises Refusal where Ray is not installed, and what a task refuses.
    """
    ray = _imported()
    try:
        ray.init(configure_logging=False, log_to_driver=False)
    except ConnectionError as error:
        told = "see that it runs, and RAY_ADDRESS and RAY_AUTH_MODE, or set convert.engine to pool"
        raise Refusal(f"{error}: {told}") from None
    cpus = max(1, int(ray.cluster_resources().get("CPU", 1)))
    tasks = [ray.remote(_write).remote(Path.cwd(), conversion, share) for share in _shares(plan, cpus)]
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


def _shares(plan: Sequence[Planned], cpus: int) -> Iterator[list[Planned]]:
    """As few passes over the archive as keep all ``cpus`` busy and memory small."""
    size = -(-len(plan) // cpus)
    for start in range(0, len(plan), size):
        yield from waves(plan[start : start + size])


def _write(root: Path, conversion: Conversion, plan: Sequence[Planned]) -> list[Written]:
    """The task; ``root`` is the folder that the conversion's paths are relative to, for rows and refusals name them."""
    os.chdir(root)
    return list(write_shards(conversion, plan))


def _imported() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it reports to its makers otherwise
    try:
        import ray
    except ImportError:
        raise Refusal(
            "convert.engine is ray, which is not installed: pip install 'fcn-pipeline[ray]', or set it to pool"
        ) from None
    return ray
