"""One follower, cheap where there is one, never gone while a stage counts on it; and pictures for MLflow."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.core.types import LabelSpec
from pipeline.live import follow
from pipeline.live.follow import LINGER, PERIOD, TICK, Activity
from pipeline.live.live import SIDE, Live
from pipeline.lock_file import is_locked, locked
from pipeline.tracking import spool
from pipeline.tracking.spool import Spool
from tests.closure import ROOT


def test_where_a_follower_lives_another_imports_nothing_and_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "pipeline.live.follow", str(tmp_path), str(tmp_path)]
    with locked(tmp_path / spool.FOLLOWER):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "pipeline" in imported
    assert not imported & {"mlflow", "numpy", "PIL", "sqlalchemy", "psutil"}


class Clock:
    """Time that passes as it is told; stages begin and end by ``plan``, and passes are written down."""

    def __init__(self, patch: pytest.MonkeyPatch, takes: float = 0.0) -> None:
        self.now, self.takes = 0.0, takes
        self.sent: list[tuple[float, list[str]]] = []
        self.begin: dict[float, Path] = {}
        self.end: dict[float, Spool] = {}
        patch.setattr(follow.time, "monotonic", lambda: self.now)
        patch.setattr(follow.time, "sleep", self.sleep)
        patch.setattr(follow, "_send", self.send)
        patch.setattr(follow, "_measure", lambda *_: None)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for when in [when for when in self.begin if when <= self.now]:
            Spool(self.begin.pop(when)).begin(tags={}, params={}, texts={})  # a stage that is gone at once
        for when in [when for when in self.end if when <= self.now]:
            self.end.pop(when).end(spool.FINISHED, {})

    def send(self, root: Path, spools: Path) -> None:
        self.sent.append((self.now, [folder.name for folder in spool.spools(spools) if spool.alive(folder)]))
        self.now += self.takes


def begun(folder: Path) -> Spool:
    written = Spool(folder)
    written.begin(tags={}, params={}, texts={})
    return written


def test_begin_and_end_are_sent_at_once_the_rest_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    clock.end = {3.0: begun(tmp_path / "train@x/short"), 25.0: begun(tmp_path / "train@y/long")}
    follow.follow(tmp_path, tmp_path)
    times = [(when, living) for when, living in clock.sent if living or when == 26]
    assert times == [(0, ["short", "long"]), (4, ["long"]), (14, ["long"]), (24, ["long"]), (26, [])]
    assert PERIOD == 10
    assert clock.now == pytest.approx(26 + LINGER, abs=2 * TICK)


def test_a_pass_that_takes_long_does_not_end_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, takes=3 * LINGER)
    clock.end = {60.0: begun(tmp_path / "train@x/f")}
    follow.follow(tmp_path, tmp_path)
    assert [living for _, living in clock.sent][:4] == [["f"]] * 3 + [[]]


def test_a_stage_that_met_the_lock_of_a_last_look_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins after the last look, when it may not start a follower of its own."""
    looks: list[Activity] = []

    def send_until_quiet(root: Path, spools: Path) -> Activity:
        assert is_locked(tmp_path / spool.FOLLOWER)
        looks.append(follow.activity(spools))
        if len(looks) == 1:
            begun(tmp_path / "train@x/f").end(spool.FINISHED, {})
        return looks[-1]

    monkeypatch.setattr(follow, "send_until_quiet", send_until_quiet)
    follow.follow(tmp_path, tmp_path)
    assert len(looks) == 2
    assert not is_locked(tmp_path / spool.FOLLOWER)


LABEL = LabelSpec(classes=("background", "cat"), palette=((0, 0, 0), (64, 0, 0)))


def test_image_and_label_stand_above_prediction_and_errors(tmp_path: Path) -> None:
    image = np.full((375, 500, 3), 200, np.uint8)
    truth, predicted = np.zeros((375, 500), np.uint8), np.ones((375, 500), np.uint8)
    Live(Spool(tmp_path)).labels(
        7, "training/cat", image, {"semantic": truth}, {"semantic": predicted}, {"semantic": LABEL}
    )
    (path,) = (tmp_path / spool.PICTURES).iterdir()
    with Image.open(path) as picture:
        pixels = np.asarray(picture)
    height, width = 188, 250  # every second pixel: the longer side fits into SIDE
    assert width <= SIDE
    assert pixels.shape == (2 * height + 4, 2 * width + 4, 3)
    for corner, color in (((0, 0), (200,) * 3), ((0, -1), (0, 0, 0)), ((-1, 0), (64, 0, 0)), ((-1, -1), (215, 25, 28))):
        assert tuple(pixels[corner]) == color
