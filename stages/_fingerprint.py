"""What decides a stage's outputs: its params, the bytes of its deps as dvc.yaml lists them, torch, the processor."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import torch

from pipeline.core import files
from pipeline.runtime.fingerprint import Fingerprint
from pipeline.shards.schema import MANIFEST
from stages._params import Params, load


def fingerprint(params: Params, device: torch.device, root: Path = Path()) -> Fingerprint:
    """The fingerprint of the stage that ``params`` were declared for; reads every dep but the shards."""
    return Fingerprint(
        stage=params.stage,
        params=params.leaves,
        deps={dep: digest(root / dep) for dep in deps(params.stage, root)},
        torch=torch.__version__,
        device=kind(device),
    )


def deps(address: str, root: Path) -> list[str]:
    """The deps of ``train@voc-fcn8s`` in dvc.yaml's order, its ``${key}`` and ``${item.…}`` filled in."""
    stage, _, key = address.partition("@")
    body = load(root / "dvc.yaml")["stages"][stage]
    if "foreach" not in body:
        return list(body["deps"])
    item = load(root / "params.yaml")[body["foreach"].strip("${}")][key]

    def filled(template: re.Match[str]) -> str:
        return key if template[1] == "key" else str(item[template[1].removeprefix("item.")])

    return [re.sub(r"\$\{(key|item\.\w+)\}", filled, dep) for dep in body["do"]["deps"]]


def digest(path: Path) -> str | None:
    """sha256 of a file's bytes or of a folder's names and bytes; None where there is nothing.

    A folder of shards counts by its manifest, which holds the sha256 of each: shards are too large to read twice.
    """
    if any(path.glob("*.parquet")) and (path / MANIFEST).is_file():
        return files.sha256(path / MANIFEST)
    if not path.is_dir():
        return files.sha256(path) if path.is_file() else None
    inside = sorted(file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    lines = [f"{file.relative_to(path).as_posix()} {files.sha256(file)}\n" for file in inside]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def kind(device: torch.device) -> str:
    """The processor as far as sums depend on it: a GPU's model, a CPU's widest instructions that torch uses."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
    return f"{device.type} {name}"
