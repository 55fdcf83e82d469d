"""What makes torch repeat itself, beside the pins of ``pipeline``: flags, threads, and a seed for every iteration."""

import ctypes
import hashlib
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from pipeline import PINS, UNPINNED
from pipeline.core import versions
from pipeline.core.types import Refusal

PRECISIONS = ("fp32", "tf32", "bf16")
KEEP = {-1: 2**31 - 1, -3: 2**30}  # mallopt's M_TRIM_THRESHOLD and M_MMAP_THRESHOLD, in bytes


def start(runtime: Mapping[str, Any], precision: str = "fp32") -> torch.device:
    """Fix what torch lets vary and check what it does not; call first, before any tensor exists.

    ``runtime`` is params.yaml's: ``threads``, ``device`` (cpu or cuda), versions as ``versions.check`` reads them.
    Of ``precision`` (fp32, tf32 or bf16) tf32 is a flag set here, bf16 the net's business (``training/train.py``).
    CPU results differ between thread counts, so ``threads`` belongs to the recipe. Denormals are kept: flushing them is
    a mode of the whole process, in which SciPy's k-d tree crashed, and of 2·10⁹ values that eight of the miniature's
    trainings computed, none was a denormal.

    Raises Refusal when a version is another, the device is absent or cannot compute in that precision, or torch was
    imported before its kernels were pinned.
    """
    device = runtime.get("device", "cpu")
    for name, value in UNPINNED.items():
        found = "unset" if value is None else f"at {value}"
        raise Refusal(
            f"NumPy or torch was imported with {name} {found}, and results depend on it: "
            f"import pipeline before them, or set {name}={PINS[name]}"
        )
    versions.check("runtime", runtime)
    _refuse_device(device, precision)
    if missing := outside():
        logging.getLogger(__name__).warning(
            f"{missing}: results repeat here but differ from dvc.lock's in their last bits."
        )
    # glibc keeps what a step frees: asking the kernel anew took a fifth of a thin net's step. Others have no mallopt.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", lambda *_: 0)
    for option, size in KEEP.items():
        mallopt(option, size)
    torch.set_num_threads(runtime["threads"])
    torch.set_deterministic_debug_mode("error")  # use_deterministic_algorithms(True), which imports torch.compile: 5 s
    # Filling fresh memory costs a tenth of a step, and no op here reads what it has not written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False  # partial sums stay float32
    return torch.device(device)


def outside() -> str | None:
    """Why this machine's CPU is outside the promise of one dvc.lock for all, as a sentence; None where it is inside."""
    if torch.backends.cpu.get_cpu_capability() != "AVX2":
        return "This processor has no AVX2"
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]
    return None if "openblas" in blas else f"NumPy computes products by {blas}, not by OpenBLAS"


def _refuse_device(device: str, precision: str) -> None:
    if device not in ("cpu", "cuda"):
        raise Refusal(f"runtime.device is {device}: choose cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise Refusal("runtime.device is cuda but torch sees no GPU: set runtime.device to cpu")
    if precision not in PRECISIONS:
        raise Refusal(f"runtime.precision is {precision}: choose {', '.join(PRECISIONS)}")
    if precision == "tf32" and device == "cpu":
        raise Refusal("runtime.precision is tf32 but runtime.device is cpu: tf32 needs a GPU, so set fp32 or bf16")


def mix(seed: int, *key: int | str) -> int:
    """A 63-bit seed that is a pure function of ``seed`` and ``key``."""
    text = "/".join(str(part) for part in (seed, *key))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def reseed(seed: int, iteration: int) -> None:
    """Set torch's generators as a pure function of (seed, iteration): dropout resumes from one integer.

    Not by ``torch.manual_seed``: for each kind of device that is not in use it keeps the call and its stack for later,
    1 ms and some kilobytes an iteration.
    """
    number = mix(seed, "iteration", iteration)
    torch.default_generator.manual_seed(number)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(number)
