"""The library. Importing it pins the kernels of torch, which torch reads once, when it loads."""

from __future__ import annotations

import os
import platform
import sys
import warnings
from pathlib import Path


def pins(cpuinfo: Path = Path("/proc/cpuinfo")) -> dict[str, str]:
    """What torch and its libraries read from the environment, once, when they load or first compute.

    CPU sums depend on the vector unit, so all are held to AVX2, which Intel has built since 2013 and AMD since 2015:
    600 iterations took 11.7 s on a machine with AVX-512, which unpinned took 12.9. Without AVX2 the pin would stop a
    process at an illegal instruction.
    """
    cublas = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    x86 = platform.machine() in ("x86_64", "AMD64")
    if "avx2" in cpuinfo.read_text().split() if cpuinfo.exists() else x86:  # only Linux has the file
        return {**cublas, "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "AVX2"}
    return cublas


PINS = pins()
if "torch" not in sys.modules:
    os.environ.update(PINS)  # over what a shell may have left there: results come from params.yaml alone
UNPINNED = {name: os.environ.get(name) for name in PINS if os.environ.get(name) != PINS[name]}
warnings.filterwarnings("ignore", message=r"Image size \(\d+ pixels\) exceeds limit")  # Pillow's, of what it decodes
