"""A stage is watched without being told so, and its outputs bear the hashes that dvc.lock will have."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from ops._workspace import hashes
from pipeline.core.types import Refusal
from pipeline.lock_file import locked
from pipeline.runtime.fingerprint import Fingerprint
from pipeline.tracking import spool
from stages import _live
from stages._live import md5, watched
from stages.shared.dvc import digest as digest_of

FINGERPRINT = Fingerprint(stage="train@x", params={"recipes.x.solver.lr": 1e-10}, deps={}, torch="2", device="cpu")


def test_hashes_are_dvcs_own(tmp_path: Path) -> None:
    for name in ("a b.txt", "a.txt", "a/z.bin", "a/b/c.txt", "é.txt"):
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_text(name)
    for path in ("out", "out/a.txt"):
        assert md5(tmp_path / path) == hashes(tmp_path, path)[path]


def test_what_tracking_it_knows_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FCN_TRACKING", "on")
    with pytest.raises(Refusal, match="'on': set it to live, spool, off"):
        watched(FINGERPRINT, [], say=print).__enter__()


def test_off_and_in_processes_that_do_not_lead_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for mode, leads in (("off", True), ("spool", False)):
        monkeypatch.setenv("FCN_TRACKING", mode)
        with watched(FINGERPRINT, [], say=print, leads=leads) as observer:
            assert observer is None
    assert list(tmp_path.iterdir()) == []


def test_a_follower_is_started_where_none_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FCN_TRACKING", "live")
    process = SimpleNamespace(Popen=lambda command, **how: started.append(command), DEVNULL=subprocess.DEVNULL)
    monkeypatch.setattr(_live, "subprocess", process)
    with watched(FINGERPRINT, [], say=print):
        assert len(started) == 1
    with locked(tmp_path / ".spool" / spool.FOLLOWER, wait=False), watched(FINGERPRINT, [], say=print):
        assert len(started) == 1
    with watched(FINGERPRINT, [], say=print):
        assert len(started) == 2


@pytest.mark.parametrize(
    ("ends", "status"),
    [(None, "FINISHED"), (ValueError, "FAILED"), (SystemExit, "KILLED"), (KeyboardInterrupt, "KILLED")],
)
def test_every_end_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: type[BaseException] | None, status: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FCN_TRACKING", "spool")
    monkeypatch.setenv("DVC_EXP_NAME", "hot-lava")
    Path("eval").mkdir()
    Path("eval/metrics.json").write_text('{"semantic": {"mean_iu": 0.5}}')
    Path("params.yaml").write_text("recipes: {x: 1}")
    row = {"cmd": "python -m stages.train", "outs": ["eval/metrics.json"]}
    Path("dvc.yaml").write_text(json.dumps({"stages": {"train": {"foreach": "${recipes}", "do": row}}}))
    try:
        with watched(FINGERPRINT, [Path("eval/metrics.json")], say=print):
            if ends:
                raise ends("why")
    except BaseException as error:
        assert type(error) is ends
    begin, *scores, end = spool.read(tmp_path / ".spool/train@x" / FINGERPRINT.digest / spool.EVENTS, 0)[0]
    assert begin["params"] == {"recipes.solver.lr": "1e-10"}
    assert (begin["tags"]["dvc.key"], begin["tags"]["dvc.exp"]) == ("x", "hot-lava")
    assert json.loads(begin["texts"]["fingerprint.json"])["device"] == "cpu"
    written = digest_of({"eval/metrics.json": md5(Path("eval/metrics.json"))})
    assert end["tags"].get("dvc.outputs") == (written if status == "FINISHED" else None)
    assert [event["values"] for event in scores] == ([{"mean_iu/semantic": 0.5}] if status == "FINISHED" else [])
    assert end["status"] == status
    assert end["tags"].get("live.error") == ("ValueError: why" if status == "FAILED" else None)


def test_an_alarm_is_a_line_and_a_tag_and_with_strict_no_net_starts_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FCN_TRACKING", "spool")
    with watched(FINGERPRINT, [], say=print) as observer:
        assert observer
        observer.alarm(5, "it is stuck")
        observer.alarm(9, "one class")
    assert capsys.readouterr().err == "warning: train@x: it is stuck\nwarning: train@x: one class\n"
    events = spool.read(tmp_path / ".spool/train@x" / FINGERPRINT.digest / spool.EVENTS, 0)[0]
    assert [event["tags"] for event in events if event["event"] == "tag"][-1] == {"alarm": "it is stuck; one class"}
    after, scored = (replace(FINGERPRINT, stage=stage) for stage in ("train@y", "evaluate@x"))
    with watched(after, [], say=print):
        pass  # nothing decides
    monkeypatch.setenv("FCN_STRICT", "1")
    with pytest.raises(Refusal, match=r"train@x raised an alarm \(one class\): train it anew, or remove .*/train@x"):
        watched(after, [], say=print).__enter__()
    with watched(scored, [], say=print):
        pass
    with watched(FINGERPRINT, [], say=print):
        pass  # trained anew, with nothing to say
    with watched(after, [], say=print):
        pass
