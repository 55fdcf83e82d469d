"""Several nodes, docs/paper.sbatch and spot.yaml, as far as they run without a cluster and a cloud."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.closure import ROOT
from tests.launch import finish, launch
from tests.training.world import repository, trained

SPOT: dict[str, Any] = yaml.safe_load((ROOT / "docs/spot.yaml").read_text(encoding="utf-8"))


# What SkyPilot 0.14.1 knows of what stands there (its yaml-spec)
TASK = {"name", "workdir", "resources", "envs", "secrets", "file_mounts", "setup", "run"}
RESOURCES = {"accelerators", "use_spot", "disk_size", "job_recovery"}


def pretended(folder: Path, fcn: str) -> dict[str, str]:
    """An environment whose ``fcn`` is this script, and whose SLURM has two nodes and writes down what it is asked."""
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/activate").write_text("")
    nodes = 'if [ "$1" = show ]; then printf "node1\\nnode2\\n"; else echo "$@" > asked; fi'
    for name, body in (("fcn", fcn), ("scontrol", nodes)):
        (folder / name).write_text(f"#!/bin/bash\n{body}\n")
        (folder / name).chmod(0o755)
    slurm = {"SLURM_JOB_ID": "17", "SLURM_JOB_NODELIST": "node[1-2]", "SLURM_JOB_NUM_NODES": "2"}
    return {**os.environ, **slurm, "SLURM_GPUS_ON_NODE": "4", "PATH": f"{folder}:{os.environ['PATH']}"}


def test_a_batch_job_hands_on_the_signal_waits_for_the_snapshot_and_queues_again(tmp_path: Path) -> None:
    fcn = "trap 'sleep 0.3; touch snapshot; exit 143' TERM; echo $$ > running; while true; do sleep 0.05; done"
    job = subprocess.Popen(["bash", ROOT / "docs/paper.sbatch"], cwd=tmp_path, env=pretended(tmp_path, fcn))
    while not (tmp_path / "running").exists():
        assert job.poll() is None
        time.sleep(0.02)
    job.send_signal(signal.SIGTERM)
    assert job.wait(timeout=20) == 143
    assert (tmp_path / "snapshot").exists()
    assert (tmp_path / "asked").read_text() == "requeue 17\n"


@pytest.mark.parametrize("code", [0, 1])
def test_a_batch_job_that_ends_is_not_queued_again(tmp_path: Path, code: int) -> None:
    fcn = f'echo "$@ $PET_RDZV_ENDPOINT $PET_NNODES $PET_NPROC_PER_NODE $FCN_TRACKING" > told; exit {code}'
    command = ["bash", ROOT / "docs/paper.sbatch", "evaluate@voc-fcn8s"]
    done = subprocess.run(command, cwd=tmp_path, env=pretended(tmp_path, fcn) | {"FCN_TRACKING": "spool"}, check=False)
    assert done.returncode == code
    assert (tmp_path / "told").read_text() == "run evaluate@voc-fcn8s node1:29500 2 4 spool\n"
    assert not (tmp_path / "asked").exists()


def test_a_batch_job_asks_for_its_signal_and_its_queue() -> None:
    asked = [line for line in (ROOT / "docs/paper.sbatch").read_text().splitlines() if line.startswith("#SBATCH")]
    assert {"#SBATCH --signal=B:TERM@60", "#SBATCH --requeue", "#SBATCH --open-mode=append"} <= set(asked)


def test_a_spot_job_says_nothing_that_skypilot_does_not_know() -> None:
    assert SPOT.keys() <= TASK
    assert SPOT["resources"].keys() <= RESOURCES
    assert SPOT["resources"]["use_spot"]
    assert {mount["mode"] for mount in SPOT["file_mounts"].values()} == {"MOUNT_CACHED"}


def test_a_spot_job_keeps_snapshots_in_its_bucket_and_no_secret() -> None:
    (bucket,) = SPOT["file_mounts"]
    assert all(SPOT["envs"][name].startswith(f"{bucket}/") for name in ("FCN_SNAPSHOTS", "FCN_MIRROR"))
    assert set(SPOT["secrets"].values()) == {None}
    assert not any(word in name for name in SPOT["envs"] for word in ("PASSWORD", "SECRET", "TOKEN", "KEY"))
    assert SPOT["resources"]["job_recovery"]["recover_on_exit_codes"] == [128 + signal.SIGTERM]


@pytest.mark.parametrize("part", ["setup", "run"])
def test_the_parts_of_a_spot_job_are_bash(part: str) -> None:
    subprocess.run(["bash", "-n", "-c", SPOT[part]], check=True)


def test_a_spot_job_trains_recipes_that_the_paper_has() -> None:
    recipes = yaml.safe_load((ROOT / "conf/scale/paper.yaml").read_text(encoding="utf-8"))["recipes"]
    (loop,) = [line for line in SPOT["run"].splitlines() if line.startswith("for net in ")]
    assert set(loop.removeprefix("for net in ").removesuffix("; do").split()) <= recipes.keys()


TRAIN = ("stages.train", "noise-fcn")


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
    alone = trained(folder)
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
    assert trained(folder) == alone
    assert said.count("copied: 30 tensors") == 1  # one process of all speaks


def test_a_batch_job_exports_what_several_nodes_need() -> None:
    assert as_printed("paper.sbatch").keys() == as_printed("paper.md").keys()
