"""A spool holds what its process told, each step once, whatever ends the process."""

import resource
from pathlib import Path

import numpy as np
import pytest

from pipeline.tracking import spool
from pipeline.tracking.spool import FINISHED, KILLED, Spool

BLACK = np.zeros((4, 6, 3), np.uint8)


def events(folder: Path) -> list[dict[str, object]]:
    found, end = spool.read(folder / spool.EVENTS, 0)
    assert end == (folder / spool.EVENTS).stat().st_size
    return found


def test_a_process_that_goes_on_from_an_earlier_step_tells_no_step_twice(tmp_path: Path) -> None:
    first = Spool(tmp_path)
    first.begin(tags={}, params={}, texts={})
    for step in (1, 2, 3):
        first.point(step, {"loss": float(step)})
    first.picture(2, "cat", BLACK)
    first.end(KILLED, {})
    second = Spool(tmp_path)
    second.begin(tags={}, params={}, texts={})
    second.picture(2, "cat", BLACK)
    second.picture(4, "cat", BLACK)
    for step in (2, 3, 4):
        second.point(step, {"loss": float(step), "data_wait": 0.5})
    second.end(FINISHED, {})
    told = [(name, event["step"]) for event in events(tmp_path) for name in event.get("values", {})]  # type: ignore[attr-defined]
    assert [step for name, step in told if name == "loss"] == [1, 2, 3, 4]
    assert [step for name, step in told if name == "data_wait"] == [2, 3, 4]
    assert sorted(path.name for path in (tmp_path / spool.PICTURES).iterdir()) == ["0000.png", "0001.png"]


def test_a_line_that_the_power_cut_in_two_is_forgotten(tmp_path: Path) -> None:
    first = Spool(tmp_path)
    first.point(1, {"loss": 1.0})
    first.end(KILLED, {})
    with (tmp_path / spool.EVENTS).open("a") as file:
        file.write('{"event": "point", "step": 2, "val')
    assert len(spool.read(tmp_path / spool.EVENTS, 0)[0]) == 2
    second = Spool(tmp_path)
    second.point(2, {"loss": 2.0})
    assert [event.get("step") for event in events(tmp_path)] == [1, None, 2]


def test_it_is_alive_as_long_as_its_process_has_it_and_a_line_has_its_time(tmp_path: Path) -> None:
    assert not spool.alive(tmp_path)
    written = Spool(tmp_path)
    written.point(7, {"loss": 0.25})
    (line,) = events(tmp_path)
    assert line.pop("time") > 1_700_000_000_000  # type: ignore[operator]
    assert line == {"event": "point", "step": 7, "values": {"loss": 0.25}}
    assert spool.alive(tmp_path)
    written.end(FINISHED, {})
    assert not spool.alive(tmp_path)


def test_of_two_processes_that_do_the_same_work_one_is_watched(tmp_path: Path) -> None:
    said: list[str] = []
    first = Spool(tmp_path)
    second = Spool(tmp_path, said.append)
    second.point(1, {"loss": 1.0})
    second.picture(1, "cat", BLACK)
    second.end(FINISHED, {})
    first.point(2, {"loss": 2.0})
    assert [event["step"] for event in events(tmp_path)] == [2]
    assert len(said) == 1
    assert "cannot be written" in said[0]


def test_a_full_disk_is_told_once_and_leaves_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    written = Spool(tmp_path, said.append)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, hard))
    try:
        for step in range(20):
            written.point(step, {"loss": 1.0})
        written.picture(3, "cat", BLACK)
        written.end(FINISHED, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(said) == 1
    found, _ = spool.read(tmp_path / spool.EVENTS, 0)
    assert [event["step"] for event in found] == list(range(len(found)))
    assert 0 < len(found) < 20
