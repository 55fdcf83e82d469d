"""torch as stages start it: its device, and the vector units that it is held to."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

import pipeline
from ops._doctor import apart
from ops._doctor.finding import FIX, NOTE, OK, Finding, Params
from stages.shared.dvc import LOADER

PATIENCE = 60.0  # seconds: the first look at a GPU takes some, and nobody else hangs here
CPU = "or python -m ops.compose runtime.device=cpu"


def check(root: Path, params: Params) -> Iterator[Finding]:
    """torch's version and device, and its kernels; a line each."""
    yield from apart.ask("ops._doctor.device", "torch", root, PATIENCE)


def main() -> None:
    """In a process that has not imported torch."""
    runtime: dict[str, Any] = yaml.load(Path("params.yaml").read_text(encoding="utf-8"), Loader=LOADER)["runtime"]

    apart.begin(["torch", "vectors"])
    apart.tell("torch", *found(runtime.get("device", "cpu")))
    apart.tell("vectors", *_vectors(pipeline.PINS, pipeline.UNPINNED), check="vectors")


def found(wanted: str) -> tuple[str, str]:
    """State and text for the device that runtime wants."""
    import torch

    name = f"torch {torch.__version__}"
    if wanted not in ("cpu", "cuda"):
        return FIX, f"runtime.device is {wanted}: choose cpu or cuda"
    if wanted == "cpu":
        return OK, f"{name} on the processor"
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        seen = torch.cuda.is_available()
    if seen:
        properties = torch.cuda.get_device_properties(0)
        return OK, f"{name}, driver {_driver()}, {torch.cuda.device_count()} × {properties.name}"
    if torch.version.cuda is None:
        return FIX, f"runtime.device is cuda but {name} was built without: install torch's CUDA build, {CPU}"
    why = str(told[0].message).splitlines()[0].split(" (Triggered")[0].rstrip(".") if told else "torch sees no GPU"
    remedy = f"install a driver that knows CUDA {torch.version.cuda}, free CUDA_VISIBLE_DEVICES"
    return FIX, f"runtime.device is cuda but {why} ({name}, driver {_driver()}): {remedy}, {CPU}"


def _driver() -> str:
    import pynvml

    try:
        pynvml.nvmlInit()
        version = pynvml.nvmlSystemGetCudaDriverVersion()
        return f"{pynvml.nvmlSystemGetDriverVersion()} for CUDA {version // 1000}.{version % 1000 // 10}"
    except pynvml.NVMLError as error:
        return f"absent ({error})"


def _vectors(pins: dict[str, str], unpinned: dict[str, str | None]) -> tuple[str, str]:
    import torch

    capability = torch.backends.cpu.get_cpu_capability()
    if unpinned:
        return FIX, f"torch was imported before {', '.join(unpinned)} were set: unset them"
    if capability != "AVX2":
        return NOTE, f"this processor computes with {capability}, not AVX2: results repeat, but differ from dvc.lock's"
    return (
        OK,
        f"held to {capability}: {', '.join(f'{name}={value}' for name, value in pins.items() if 'CUBLAS' not in name)}",
    )


if __name__ == "__main__":
    main()
