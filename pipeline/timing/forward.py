"""Time a net's forward pass of one image as the paper's Table 1 does, and count the memory that it takes."""

import platform
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, median
from typing import Any

import torch
from torch import Tensor

from pipeline import determinism
from pipeline.backbones.shared.random_start import INPUT_STD, random_start
from pipeline.core.types import Refusal
from pipeline.fcn.net import FCN, LateFCN, build, make
from pipeline.spec import NetSpec

WARM = 3  # passes that are not timed: libraries choose and load kernels in the first
FULL = ("can't allocate memory", "out of memory", "size calculation overflowed")  # of a CPU, CUDA, and any at all
CPUINFO = Path("/proc/cpuinfo")
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")  # Linux alone has them
FORGET_PEAK = "5"  # written to clear_refs (proc_pid_clear_refs(5)); getrusage's ru_maxrss knows no such thing


@dataclass(frozen=True, kw_only=True)
class Work:
    """What to time: the net in a file of weights, or one of random weights; ``height`` × ``width`` px, passes, where.

    ``threads`` are torch's on a CPU.
    """

    name: str
    net: Path | NetSpec
    height: int
    width: int
    repeats: int
    device: str
    threads: int


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What was seen: milliseconds of each pass, and bytes at most during them, the weights among them.

    On CUDA ``peak`` is what torch had allocated; on a CPU what was resident in the net's own process, less what was
    before it had a net; None where nobody counts. ``parameters`` are numbers, ``machine`` the processor's name.
    """

    work: Work
    ms: tuple[float, ...]
    peak: int | None
    parameters: int
    width: float
    machine: str

    def numbers(self) -> dict[str, Any]:
        """As JSON and a tracker have them."""
        found = {"mean_ms": mean(self.ms), "median_ms": median(self.ms), "min_ms": min(self.ms)}
        return {**found, "parameters": self.parameters, **({} if self.peak is None else {"peak_bytes": self.peak})}


def each(works: Iterable[Work]) -> Iterator[Timing]:
    """``measure`` each of ``works`` in a process of its own, one after another.

    They are forked from one that has loaded torch, its kernels pinned, and has computed nothing: that saves seconds.

    Raises Refusal where ``measure`` does, and naming the net whose process was ended from outside.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(["pipeline.determinism", __name__])
    with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
        for work in works:
            try:
                timing = pool.submit(measure, work).result()
            except RuntimeError as error:
                reason = f"{work.width}×{work.height} px do not fit into memory, says torch of {work.name}"
                if isinstance(error, BrokenProcessPool):
                    reason = f"the process of {work.name} was ended, for want of memory most likely"
                elif not any(word in str(error) for word in FULL):
                    raise
                raise Refusal(f"{reason}: choose a smaller size") from None
            yield timing


def measure(work: Work) -> Timing:
    """Time ``work`` in this process: the forward pass alone, from one image on the device to its scores there.

    Flags and kernels are those that stages compute with.

    Raises Refusal for a device that is not there, weights that are none and a size that the net does not take.
    """
    device = determinism.start({"threads": work.threads, "device": work.device})
    torch.nn.functional.conv2d(torch.zeros(1, 8, 32, 32), torch.zeros(8, 8, 3, 3))  # loads what counts for no net
    before = _resident("VmRSS")
    net = _net(work.net).to(device).eval()
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, len(net.spec.mean), work.height, work.width, generator=generator)
    image = (noise * INPUT_STD).to(device)
    del noise
    with torch.inference_mode():
        for _ in range(WARM):
            net(image)
        forgotten = _forget(device)
        ms = tuple(_pass(net, image) for _ in range(work.repeats))
    return Timing(
        work=work,
        ms=ms,
        peak=_peak(device, before) if forgotten else None,
        parameters=sum(parameter.numel() for parameter in net.parameters()),
        width=net.spec.width,
        machine=_machine(device),
    )


def _net(source: Path | NetSpec) -> FCN | LateFCN:
    if isinstance(source, Path):
        return build(source)
    net = make(source)
    random_start(net, source, torch.Generator().manual_seed(0))
    return net


def _pass(net: FCN | LateFCN, image: Tensor) -> float:
    """Milliseconds."""
    begin = time.perf_counter()
    net(image)
    if image.device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - begin) * 1000


def _forget(device: torch.device) -> bool:
    """Begin the peak anew; False where the kernel does not let a process do that, so that the peak is its life's."""
    if device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats(device)
        return True
    try:
        CLEAR.write_text(FORGET_PEAK)
    except OSError:
        return False
    return True


def _peak(device: torch.device, before: int | None) -> int | None:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    most = _resident("VmHWM")
    return None if most is None or before is None else most - before


def _resident(row: str) -> int | None:
    """Bytes of this process in memory, shared libraries counted whole: now (VmRSS), or at most (VmHWM)."""
    rows = dict(line.split(":", 1) for line in STATUS.read_text().splitlines()) if STATUS.is_file() else {}
    return int(rows[row].split()[0]) * 1024 if row in rows else None


def _machine(device: torch.device) -> str:
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    rows = CPUINFO.read_text().splitlines() if CPUINFO.exists() else []
    names = (line.partition(":")[2].strip() for line in rows if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
