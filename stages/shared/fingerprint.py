"""What decides a stage's outputs: its params, the bytes of its deps as dvc.yaml lists them, torch, the processor."""

import hashlib
from pathlib import Path

import torch

from pipeline.core import files
from pipeline.runtime.fingerprint import Fingerprint
from pipeline.shards.schema import MANIFEST
from stages.shared.dvc import Params, stage


def fingerprint(params: Params, device: torch.device, root: Path = Path()) -> Fingerprint:
    """The fingerprint of the stage that ``params`` were declared for; reads every dep but the shards."""
    return Fingerprint(
        stage=params.stage,
        params=params.leaves,
        deps={dep: digest(root / dep) for dep in stage(params.stage, root).deps},
        torch=torch.__version__,
        device=kind(device),
    )


def digest(path: Path) -> str | None:
    """sha256 of a file's bytes or of a folder's names and bytes; None where there is nothing.

    Shards count by their manifest, which holds the sha256 of each: they are too large to read twice.
    """
    if not path.is_dir():
        return files.sha256(path) if path.is_file() else None
    inside = sorted(file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    inside = [file for file in inside if file.suffix != ".parquet" or not (file.parent / MANIFEST).is_file()]
    lines = [f"{file.relative_to(path).as_posix()} {files.sha256(file)}\n" for file in inside]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def kind(device: torch.device) -> str:
    """The processor as far as sums depend on it: a GPU's model, a CPU's widest instructions that torch uses."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
    return f"{device.type} {name}"
