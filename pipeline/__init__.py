"""The library. Importing it pins the kernels of torch and NumPy, which these read once, when they load."""

import os
import platform
import sys
import warnings
from pathlib import Path


def pins(cpuinfo: Path = Path("/proc/cpuinfo")) -> dict[str, str]:
    """What torch, NumPy and their libraries read from the environment, once, when they load or first compute.

    Sums of floats depend on the vector unit, so all are held to AVX2, which Intel has built since 2013 and AMD since
    2015. Without AVX2 the pins would stop a process at an illegal instruction. MKL gives two makers' processors the
    same bytes only as COMPATIBLE, which is slow: what takes time goes to OpenBLAS (``backbones/shared/product.py``).
    """
    cublas = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    x86 = platform.machine() in ("x86_64", "AMD64")
    if "avx2" in cpuinfo.read_text().split() if cpuinfo.exists() else x86:  # only Linux has the file
        kernels = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "OPENBLAS_CORETYPE": "Haswell"}
        return {**cublas, **kernels, "MKL_CBWR": "COMPATIBLE", "OPENBLAS_NUM_THREADS": "1"}
    return cublas


PINS = pins()
if not {"torch", "numpy"} & sys.modules.keys():
    os.environ.update(PINS)  # over what a shell may have left there: results come from params.yaml alone
UNPINNED = {name: os.environ.get(name) for name in PINS if os.environ.get(name) != PINS[name]}
warnings.filterwarnings("ignore", message=r"Image size \(\d+ pixels\) exceeds limit")  # Pillow's, of what it decodes
