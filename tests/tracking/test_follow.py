"""One follower, cheap where there is one already, and never gone while a stage counts on it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from pipeline.held import held
from pipeline.tracking import spool, watch
from pipeline.tracking.follow import follow
from pipeline.tracking.spool import Spool
from pipeline.tracking.watch import LINGER, PERIOD, TICK, Watch
from tests.closure import ROOT


def test_where_a_follower_lives_another_imports_nothing_and_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "pipeline.tracking.follow", str(tmp_path), str(tmp_path)]
    with spool.alone(tmp_path / spool.FOLLOWER):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "pipeline" in imported
    assert not imported & {"mlflow", "numpy", "PIL", "sqlalchemy", "psutil"}


def test_who_only_asks_for_the_lock_keeps_no_follower_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    followed: list[bool] = []
    monkeypatch.setattr(Watch, "until_quiet", lambda self: followed.append(held(tmp_path / spool.FOLLOWER)))
    asking = subprocess.Popen(
        [sys.executable, "-c", ASKING, str(tmp_path / spool.FOLLOWER)], stdout=subprocess.PIPE, text=True
    )
    assert asking.stdout
    asking.stdout.readline()
    follow(tmp_path, tmp_path)
    asking.communicate()
    assert followed == [True]


ASKING = """
import fcntl, sys, time
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_SH)
print("asking", flush=True)
time.sleep(0.3)
"""


@pytest.mark.parametrize("short", [False, True], ids=["goes on", "has ended"])
def test_a_stage_that_met_the_lock_of_one_about_to_end_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: bool
) -> None:
    stage: list[Spool] = []

    def until_quiet(self: Watch) -> None:
        """The stage begins after the last look, when it may not start a follower of its own."""
        assert held(tmp_path / spool.FOLLOWER)
        if not stage:
            stage.append(Spool(tmp_path / "train@x/f"))
            stage[0].begin(tags={}, params={}, texts={})
            if short:
                stage[0].end(spool.FINISHED, {})
        else:
            stage[0].end(spool.FINISHED, {})
            self.look()
            ended.append(True)

    ended: list[bool] = []
    monkeypatch.setattr(Watch, "until_quiet", until_quiet)
    follow(tmp_path, tmp_path)
    assert ended == [True]
    assert not held(tmp_path / spool.FOLLOWER)


class Clock:
    """Time that passes as it is told, and a sender that writes down when it sent what."""

    def __init__(self, patch: pytest.MonkeyPatch, takes: float = 0.0) -> None:
        self.now, self.takes = 1000.0, takes
        self.sent: list[tuple[float, list[str]]] = []
        self.running: set[Path] = set()
        self.plan: dict[float, Spool] = {}
        patch.setattr(watch.time, "monotonic", lambda: self.now)
        patch.setattr(watch.time, "sleep", self.sleep)
        patch.setattr(watch, "Sender", lambda root, spools: self)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for when in [when for when in self.plan if when <= self.now]:
            self.plan.pop(when).end(spool.FINISHED, {})

    def goes_on(self, folder: Path) -> bool:
        return folder in self.running

    def send(self, folders: Iterable[Path]) -> None:
        living = {folder for folder in folders if spool.alive(folder)}
        ended = {folder for folder in folders if folder in self.running} - living
        if living | ended:
            self.sent.append((self.now - 1000, sorted(folder.name for folder in living | ended)))
            self.now += self.takes
        self.running = (self.running | living) - ended


def begun(folder: Path) -> Spool:
    written = Spool(folder)
    written.begin(tags={}, params={}, texts={})
    written.point(1, {"loss": 1.0})
    return written


def test_a_run_and_its_end_are_sent_at_once_and_the_rest_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    clock.plan = {1000 + PERIOD - TICK: begun(tmp_path / "train@x/short"), 1025.0: begun(tmp_path / "train@y/long")}
    Watch(tmp_path, tmp_path).until_quiet()
    both, left = ["long", "short"], ["long"]
    assert clock.sent == [(0, both), (8, ["short"]), (10, left), (20, left), (26, left)]
    assert clock.now - 1026 == pytest.approx(LINGER, abs=TICK)
    (point,), _ = spool.read(tmp_path / "train@y/long" / spool.SYSTEM, 0)
    assert (point["step"], "system/cpu_utilization_percentage" in point["values"]) == (1, True)


def test_a_pass_that_takes_long_does_not_end_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, takes=3 * LINGER)
    clock.plan = {1060.0: begun(tmp_path / "train@x/f")}
    Watch(tmp_path, tmp_path).until_quiet()
    assert [names for _, names in clock.sent] == [["f"]] * 4
