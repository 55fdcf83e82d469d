"""Weights kept on the way: beside the snapshots while a net trains, an output of the stage when it is done."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from torch import Tensor

from pipeline.core import files
from pipeline.core.types import Refusal
from pipeline.spec import NetSpec
from pipeline.training.recipe import SolverSpec
from pipeline.training.snapshot import flush
from pipeline.weights import checkpoint

INDEX = "index.json"
SCRATCH = ".partial"


class Milestones:
    """The weights after every ``solver.milestones`` iterations and after the last; none where that is 0.

    They wait in ``folder``, which is one fingerprint's own: DVC empties outputs before a stage runs again, and so
    would take those that a killed training had kept.
    """

    def __init__(self, folder: Path, solver: SolverSpec) -> None:
        self.folder, self.iterations = folder, iterations(solver)

    def refuse_lost(self, done: int) -> None:
        """Raise Refusal where a training that goes on after ``done`` iterations lacks one that it kept before."""
        if lost := [each for each in self.iterations if each <= done and not self._path(each).is_file()]:
            where = self.folder.parent
            raise Refusal(f"{self._path(lost[0])} is gone, and the training is past it: delete {where} to start anew")

    def keep(self, iteration: int, tensors: Mapping[str, Tensor], spec: NetSpec) -> None:
        """Write the weights after ``iteration``: on the disk itself, whole in one rename.

        0.5 GB, a second or two, of a VGG16. Raises Refusal where the disk does not take them: no rerun could make up.
        """
        scratch = self.folder / SCRATCH
        try:
            checkpoint.save(scratch, tensors, spec)
            flush(scratch)
            scratch.replace(self._path(iteration))
            flush(self.folder)
        except (OSError, SafetensorError) as error:
            raise Refusal(f"{self._path(iteration)} cannot be written ({error}): make room, and run again") from None

    def hand_over(self, out: Path) -> None:
        """Make ``out`` hold them all, with their iterations in index.json: DVC keeps no empty folder.

        They are linked where the disks are one, so a kill in between costs nothing.
        """
        with files.replacing(out) as scratch:
            scratch.mkdir()
            for path in map(self._path, self.iterations):
                try:
                    os.link(path, scratch / path.name)
                except OSError:
                    shutil.copyfile(path, scratch / path.name)
            files.write_json(scratch / INDEX, {"iterations": self.iterations})

    def _path(self, iteration: int) -> Path:
        return self.folder / file_name(iteration)


def iterations(solver: SolverSpec) -> list[int]:
    """After which iterations weights are kept, from 1 on."""
    every, last = solver.milestones, solver.iterations
    return [*range(every, last, every), last] if every else []


def file_name(iteration: int) -> str:
    """``000200.safetensors``."""
    return f"{iteration:06d}.safetensors"
