"""Resumable training state as one file: complete or absent, and named by the digest of its own bytes."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from pipeline.core import files
from pipeline.training.loss import History
from pipeline.training.solver import Solver

WEIGHTS, VELOCITY = "net.", "velocity."  # prefixes of the tensors' names


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The state between two iterations; ``tensors`` are copies on the CPU, ``text`` is JSON of all the rest."""

    iteration: int
    tensors: dict[str, torch.Tensor]
    text: str


def take(solver: Solver, history: History) -> Snapshot:
    """A copy in memory, which training on does not change."""
    named = {WEIGHTS + name: tensor for name, tensor in solver.net.state_dict().items()}
    named |= {VELOCITY + name: tensor for name, tensor in solver.velocity.items()}
    return Snapshot(
        iteration=solver.iteration,
        tensors={name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in named.items()},
        text=json.dumps({"iteration": solver.iteration, "history": history.state()}),
    )


def write(snapshot: Snapshot, folder: Path) -> Path:
    """The file's path; it is on the disk, and its bytes and the checksum in its name appeared in one rename.

    Raises OSError or SafetensorError where that does not work, and leaves no file.
    """
    scratch = folder / ".partial"
    try:
        save_file(snapshot.tensors, scratch, metadata={"state": snapshot.text})  # one key: safetensors#584
        flush(scratch)
        path = folder / _name(snapshot.iteration, scratch)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
    flush(folder)
    return path


def found(folder: Path) -> list[Path]:
    """The snapshots in ``folder``, newest first; none where there is no folder."""
    return sorted(folder.glob("iteration-*.safetensors"), reverse=True)


def iteration_of(path: Path) -> int:
    return int(path.name.split("-")[1])


@torch.no_grad()
def restore(path: Path, solver: Solver, history: History) -> None:
    """Set both to where ``take`` saw them.

    Tensors are copied into the net's own, for where a weight lies in memory changes the last bits of a convolution.
    Raises OSError, before anything is changed, for a file that is not what was written.
    """
    if path.name != _name(iteration_of(path), path):
        raise OSError("its bytes are not those that its name tells")
    with safe_open(path, framework="pt") as file:
        state = json.loads(file.metadata()["state"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        weights = {name.removeprefix(WEIGHTS): each for name, each in tensors.items() if name.startswith(WEIGHTS)}
        solver.net.load_state_dict(weights)
        for name, velocity in solver.velocity.items():
            velocity.copy_(tensors[VELOCITY + name])
    solver.iteration = state["iteration"]
    history.restore(state["history"])


def _name(iteration: int, file: Path) -> str:
    return f"iteration-{iteration:09d}-{files.sha256(file)[:16]}.safetensors"


def flush(path: Path) -> None:
    """Bring a file's bytes, or a folder's names, to the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
