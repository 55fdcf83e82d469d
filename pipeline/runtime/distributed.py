"""The processes that share one stage's work, as torchrun starts them: which one this is, and what they tell others."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist  # `import torch` has imported it already: it costs nothing more
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from pipeline.core.types import Refusal

T = TypeVar("T")
LIMIT = timedelta(minutes=10)  # how long one waits for the others; an evaluation's shares end minutes apart
LINGER = 5.0  # seconds: torchrun ends all processes when one does, so the one that refuses must get to say so


@dataclass(frozen=True, kw_only=True)
class Group:
    """Process ``rank`` of ``size``; a process alone gathers what it has, without any communication."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the one process that writes files, prints and shows progress."""
        return self.rank == 0

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """This process's part of ``items``, in one piece; parts are equal, so ``size`` must divide their number."""
        count = len(items) // self.size
        return items[self.rank * count : (self.rank + 1) * count]

    def gather(self, value: T) -> list[T]:
        """Every process's picklable ``value`` in rank order, in every process.

        Raises Refusal when one of the others has stopped.
        """
        if self.size == 1:
            return [value]
        values: list[T] = [value] * self.size
        with _waiting():
            dist.all_gather_object(values, value)
        return values

    def stack(self, parts: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
        """Every process's ``parts`` in rank order, in every process; all of one shape, and as many in each.

        Raises Refusal when one of the others has stopped.
        """
        if self.size == 1:
            return parts
        own = torch.stack(tuple(parts))
        every = own.new_empty((self.size * len(parts), *own.shape[1:]))
        with _waiting():
            dist.all_gather_single(every, own)
        return every.unbind()


ALONE = Group()


def local(device: torch.device) -> torch.device:
    """``device`` itself, or, where torchrun started processes on a machine with GPUs, this one's: cuda:LOCAL_RANK.

    Raises Refusal when the machine has fewer GPUs than processes.
    """
    if device.type != "cuda" or "LOCAL_RANK" not in os.environ:
        return device
    index, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if index >= gpus:
        raise Refusal(f"process {index + 1} of this machine finds {gpus} GPUs: start one process a GPU")
    return torch.device("cuda", index)


@contextmanager
def joined(device: torch.device) -> Iterator[Group]:
    """The group that torchrun's environment (RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT) names, left at the end.

    Talks by gloo, and by NCCL where ``device`` is a GPU. A Refusal passes in the first process that raises it; the
    others end with status 1 and say nothing, for a refusal is printed once.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    backend = "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
        backend = "cpu:gloo,cuda:nccl"
    store, rank, size = next(rendezvous("env://", timeout=LIMIT))
    # torchrun's store outlives its restarts: a new attempt would call the dead of the last one at their addresses
    store = PrefixStore(f"attempt {os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=LIMIT)
    try:
        yield Group(rank=rank, size=size)
    except Refusal:
        if int(store.compare_set("refused", "", str(rank))) != rank:  # another was first
            time.sleep(LINGER)
            raise SystemExit(1) from None
        raise
    finally:
        dist.destroy_process_group()


@contextmanager
def _waiting() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # what gloo and NCCL raise for a peer that is gone, or silent for LIMIT
        reason = str(error).partition("\n")[0]
        raise Refusal(f"another process of the group has stopped, see its own lines: {reason}") from error
