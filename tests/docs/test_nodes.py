"""Several nodes, as docs/paper.md and paper.sbatch start them: here two agents on loopback, in one folder."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core import files
from tests.closure import ROOT
from tests.launch import finish, launch
from tests.training.world import repository

TRAIN = ("stages.train", "noise-fcn")


def written(folder: Path) -> dict[str, str]:
    """The digests of what a training wrote, which is taken away for the next."""
    digests = {path.name: files.sha256(path) for path in (folder / "runs/noise-fcn").iterdir()}
    shutil.rmtree(folder / "runs")
    return digests


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def as_printed(file: str) -> dict[str, str]:
    """torchrun's environment as docs/``file`` exports it, for two nodes of one process each on this machine."""
    printed = dict(re.findall(r"\b(PET_\w+)=(\S+)", (ROOT / "docs" / file).read_text(encoding="utf-8")))
    mine = {"PET_NNODES": "2", "PET_NPROC_PER_NODE": "1", "PET_RDZV_ENDPOINT": f"127.0.0.1:{free_port()}"}
    assert mine.keys() <= printed.keys()
    return {name: value for name, value in printed.items() if "$" not in value} | mine | {"PET_LOCAL_ADDR": "127.0.0.1"}


@pytest.mark.slow
def test_two_nodes_that_share_a_folder_write_the_bytes_of_one_process(tmp_path: Path) -> None:
    folder = repository(tmp_path, batch=4, virtual_ranks=4, iterations=4)
    finish(launch(folder, *TRAIN))
    alone = written(folder)
    environment = {**os.environ, **as_printed("paper.md"), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    agents = [
        subprocess.Popen(
            [sys.executable, "-m", "torch.distributed.run", "-m", *TRAIN],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = "".join(finish(agent)[0] for agent in agents)
    assert written(folder) == alone
    assert said.count("copied: 30 tensors") == 1  # one process of all speaks


def test_a_batch_job_exports_what_several_nodes_need() -> None:
    assert as_printed("paper.sbatch").keys() == as_printed("paper.md").keys()
