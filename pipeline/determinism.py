"""The one place that makes torch repeat itself: flags, threads, versions, and a seed for every iteration."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any

# cuBLAS reads this once, when its first handle is made: it must stand before torch is imported.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

import torch

from pipeline.types import Refusal


def start(runtime: Mapping[str, Any]) -> torch.device:
    """Fix what torch lets vary and check what it does not; call first, before any tensor exists.

    ``runtime`` is params.yaml's: ``torch`` (version), ``threads`` and ``device`` (cpu where absent).
    CPU results differ between thread counts, so ``threads`` belongs to the recipe. Denormals are flushed to zero:
    vanishing activations otherwise make a step up to 14 times slower.

    Raises Refusal when the running torch is another version or the device is absent.
    """
    wanted, device = runtime["torch"], runtime.get("device", "cpu")
    running = torch.__version__.split("+")[0]
    if running != wanted:
        raise Refusal(
            f"torch {running} runs here but params.yaml says runtime.torch: {wanted}; "
            "install that version or set runtime.torch (every result that depends on torch then reruns)"
        )
    if device == "cuda" and not torch.cuda.is_available():
        raise Refusal("runtime.device is cuda but torch sees no GPU: set runtime.device to cpu")
    torch.set_flush_denormal(True)  # before the first parallel region: worker threads inherit the mode
    torch.set_num_threads(runtime["threads"])
    torch.set_deterministic_debug_mode("error")  # use_deterministic_algorithms(True), which imports torch.compile: 5 s
    # Filling fresh memory costs a tenth of a step, and no op here reads what it has not written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    return torch.device(device)


def mix(seed: int, *key: int | str) -> int:
    """A 63-bit seed that is a pure function of ``seed`` and ``key``."""
    text = "/".join(str(part) for part in (seed, *key))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def reseed(seed: int, iteration: int) -> None:
    """Set torch's generators as a pure function of (seed, iteration): dropout resumes from one integer."""
    torch.manual_seed(mix(seed, "iteration", iteration))
