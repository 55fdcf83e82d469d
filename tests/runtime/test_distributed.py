"""Any number of processes that divides the virtual ranks gives the bytes of one, also when one is killed."""

import os
import random
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.core.types import Refusal
from pipeline.runtime import distributed
from pipeline.runtime.distributed import Group
from tests.launch import finish, launch
from tests.training.world import DIVERGING, fit, recipe, repository, trained

CPU = torch.device("cpu")
TRAIN = ("stages.train", "noise-fcn")
RANKS: dict[str, Any] = {"batch": 8, "virtual_ranks": 4, "milestones": 50}


@pytest.mark.slow
def test_as_many_processes_as_you_like_write_the_bytes_of_one(tmp_path: Path) -> None:
    """Here one for each virtual rank; two with two each are below, and on two nodes in tests/docs."""
    folder = repository(tmp_path, **RANKS)
    finish(launch(folder, *TRAIN))
    alone = trained(folder)
    out, err = finish(launch(folder, *TRAIN, processes=4))
    assert trained(folder) == alone
    assert out.count("copied: 30 tensors") == 1  # one process speaks
    assert err == ""


def test_a_process_killed_at_any_moment_costs_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FCN_SNAPSHOT_SECONDS", "0")
    folder = repository(tmp_path, **RANKS, iterations=80)
    finish(launch(folder, *TRAIN))
    alone = trained(folder)
    agent = launch(folder, *TRAIN, processes=2, restarts=1)
    while not list(folder.glob(".snapshots/*/*/iteration-*")):
        assert agent.poll() is None
        time.sleep(0.01)
    time.sleep(random.uniform(0, 0.25))  # of the second and more that its iterations take
    os.kill(random.choice(list(workers(agent.pid))), signal.SIGKILL)
    out, err = finish(agent)
    assert "exitcode: -9" in err, "the kill came too late: nothing had to start again"
    assert "resuming at iteration" in out
    assert trained(folder) == alone


def workers(agent: int) -> Iterator[int]:
    for child in Path(f"/proc/{agent}/task/{agent}/children").read_text().split():
        if "stages.train" in Path(f"/proc/{child}/cmdline").read_text().split("\0"):
            yield int(child)


@pytest.mark.parametrize(
    ("world", "message"),
    [
        # every process learns it
        (DIVERGING, r"loss is (nan|inf) at iteration \d+ on 2008_00000\d: lower solver.lr"),
        # one process sees it
        ({"labels": (0, 9, 1, 2, 0, 1)}, r"2008_000001 in .*train: label 9 is no class"),
    ],
)
def test_a_refusal_ends_all_processes_and_is_printed_once(tmp_path: Path, world: Any, message: str) -> None:
    folder = repository(tmp_path, **RANKS, **world)
    started = launch(folder, *TRAIN, processes=2)
    _, err = started.communicate(timeout=300)
    assert started.returncode != 0
    assert len(re.findall(r"^Error: ", err, re.MULTILINE)) == 1, err
    assert re.search(f"^Error: {message}", err, re.MULTILINE)
    assert "Warning" not in err
    assert not (folder / "runs").exists()


def test_processes_that_cannot_share_the_virtual_ranks_are_refused(tmp_path: Path) -> None:
    message = r"3 processes cannot share recipes\.noise-fcn\.solver\.virtual_ranks, 4, evenly: start 1 or 2 or 4,"
    with pytest.raises(Refusal, match=message):
        fit(tmp_path, row=recipe(batch=4, virtual_ranks=4), group=Group(rank=0, size=3))


def test_a_process_alone_joins_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "1")
    with distributed.joined(CPU) as group:
        assert (group.rank, group.size, group.leads) == (0, 1, True)
        assert not torch.distributed.is_initialized()
        assert group.gather("x") == ["x"]


def test_each_process_takes_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = torch.device("cuda")
    assert distributed.local(cuda) == cuda
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert distributed.local(CPU) == CPU
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert distributed.local(cuda) == torch.device("cuda:1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(Refusal, match="process 2 of this machine finds 1 GPUs: start one process a GPU"):
        distributed.local(cuda)
