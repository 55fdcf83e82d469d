"""A training process that is killed, stopped or restarted leaves what an uninterrupted one leaves."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.training import snapshot
from tests.training.world import digests, repository

KILLS = int(os.environ.get("FCN_KILLS", "8"))
WEIGHTS = "runs/noise-fcn/model.safetensors"


class Training:
    """`python -m stages.train noise-fcn` in ``root``, with a snapshot every so many ``seconds``."""

    def __init__(self, root: Path, *, seconds: float = 0) -> None:
        self.log = root / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "-W", "error", "-m", "stages.train", "noise-fcn"],
                cwd=root,
                env={**os.environ, "FCN_SNAPSHOT_SECONDS": str(seconds)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait_for(self, iteration: int) -> None:
        """Until a snapshot of ``iteration`` or later is there."""
        while not any(snapshot.iteration_of(path) >= iteration for path in snapshots(self.log.parent)):
            assert self.process.poll() is None, f"it ended before iteration {iteration}"
            time.sleep(0.001)

    def wait_for_the_start(self) -> None:
        """Until the net has its first weights, and says so."""
        while "\nzero: " not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.001)

    def end(self, *, within: float = 600) -> tuple[int, list[str]]:
        """The exit code, within so many seconds, and the lines but those that every training says."""
        code, said = self.process.wait(timeout=within), self.log.read_text().splitlines()
        return code, [line for line in said if not line.startswith(("copied: ", "zero: ", "trained for "))]


def snapshots(root: Path) -> list[Path]:
    return [path for folder in root.glob(".snapshots/train@noise-fcn/*") for path in snapshot.found(folder)]


def outputs(root: Path) -> dict[str, str]:
    return digests(root / "runs/noise-fcn", root / "eval/noise-fcn")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What 200 iterations write where nobody disturbs them; in any folder they are the same bytes."""
    root = repository(tmp_path_factory.mktemp("whole"), iterations=200, crop=32, milestones=80)
    assert Training(root, seconds=60).end() == (0, [])
    return outputs(root)


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_bytes(tmp_path: Path) -> None:
    rng = random.Random(KILLS)
    root = repository(tmp_path, iterations=40 * (KILLS + 1), milestones=30)
    assert Training(root, seconds=60).end() == (0, [])
    whole = outputs(root)
    (root / WEIGHTS).unlink()
    reached = 0
    for kill in range(KILLS):
        training = Training(root)
        training.wait_for(max(reached, 40 * kill) + rng.randint(1, 20))
        time.sleep(rng.uniform(0, 0.03))  # an iteration with its snapshot takes about 0.01 s
        training.process.kill()
        code, said = training.end()
        assert (code, bool(said)) == (-signal.SIGKILL, kill > 0)
        assert all(line.startswith("resuming at iteration ") for line in said)
        reached = max(map(snapshot.iteration_of, snapshots(root)))
        assert not (root / WEIGHTS).exists()
    code, said = Training(root).end()
    assert (code, said) == (0, [f"resuming at iteration {reached} of {40 * (KILLS + 1)}"])
    assert outputs(root) == whole
    assert list((root / ".snapshots").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_goes_on_to_the_same_bytes(
    tmp_path: Path, whole: dict[str, str], number: signal.Signals
) -> None:
    root = repository(tmp_path, iterations=200, crop=32, milestones=80)
    training = Training(root, seconds=60)
    training.wait_for_the_start()
    for each in (number, signal.SIGINT, signal.SIGTERM, number):
        training.process.send_signal(each)
    code, said = training.end(within=30)
    iteration = max(map(snapshot.iteration_of, snapshots(root)))
    assert code == 143
    assert said == [f"stopped at iteration {iteration} of 200: a rerun goes on from iteration {iteration}"]
    assert 0 < iteration < 200
    assert Training(root, seconds=60).end() == (0, [f"resuming at iteration {iteration} of 200"])
    assert outputs(root) == whole
