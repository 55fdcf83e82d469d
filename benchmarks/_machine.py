"""The machine and the versions that a result holds for."""

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

PEERS = ("torchfcn", "torchmetrics", "webdataset", "mosaicml-streaming", "litdata", "datasets")


def kind() -> dict[str, Any]:
    """Processor, cores, Python, and the versions of torch and of the peers that are installed; no host's name."""
    names = ("torch", "torchvision", "pyarrow", "pillow", "numpy", "dvc", *PEERS)
    found = {name: _version(name) for name in names}
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: version for name, version in found.items() if version},
    }


def line(machine: dict[str, Any]) -> str:
    """The same in a line."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return f"{machine['cpu']}, {machine['cores']} cores; Python {machine['python']}, {versions}"


def _cpu(info: Path = Path("/proc/cpuinfo")) -> str:
    if info.exists():  # only Linux has it
        for row in info.read_text().splitlines():
            if row.startswith("model name"):
                return row.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
