"""Where a served net computes, how much memory it needs to label an image, and how much there is."""

import ctypes
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def chosen(name: str) -> torch.device:
    """``name``'s device: cpu, cuda, or auto, which is a GPU where there is one."""
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)


@contextmanager
def threads(number: int | None) -> Iterator[None]:
    """Compute in ``number`` CPU threads, None for torch's own, and put back what others in this process had."""
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


CGROUP = Path("/sys/fs/cgroup")


class Allocations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While active, counts the bytes that the tensors made meanwhile hold, and the most that lived at once."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes: int = 0
        self.peak: int = 0
        self._alive: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for storage in (tensor.untyped_storage() for tensor in tree_leaves(made) if isinstance(tensor, Tensor)):
            if storage._cdata not in self._alive:
                self._alive.add(storage._cdata)
                self.bytes += storage.nbytes()
                self.peak = max(self.peak, self.bytes)
                weakref.finalize(storage, self._free, storage._cdata, storage.nbytes())
        return made

    def _free(self, key: int, size: int) -> None:
        self._alive.discard(key)
        self.bytes -= size


def peak(net: nn.Module, channels: int, height: int, width: int) -> int:
    """Bytes that labelling an image takes at once beside the weights; ``net`` is on the meta device.

    These are torch's tensors: a convolution's own scratch memory comes on top.
    """
    allocations = Allocations()
    with torch.inference_mode(), allocations:
        pixels = torch.empty(1, channels, height, width, device="meta")
        image = pixels + 0  # the mean is subtracted
        del pixels
        for scores in net(image).values():
            scores.max(1)
    return allocations.peak


def give_back() -> None:
    """Have glibc return to the system what was freed, all of which ``determinism.start`` makes it keep."""
    getattr(ctypes.CDLL(None), "malloc_trim", lambda _: 0)(0)


def available(device: torch.device) -> int:
    """Bytes that this process may still take on ``device``; on a CPU those of its container where it is in one."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
    free = psutil.virtual_memory().available
    limit, used = CGROUP / "memory.max", CGROUP / "memory.current"
    text = limit.read_text().strip() if limit.exists() else "max"
    return int(free if text == "max" else min(free, int(text) - int(used.read_text())))
