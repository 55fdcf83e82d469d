"""A stage is watched without being told so, its outputs bear dvc.lock's hashes, and ``publish`` takes its run."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ops._workspace import hashes
from pipeline.core.types import Refusal
from pipeline.lock_file import locked
from pipeline.runtime.fingerprint import Fingerprint
from pipeline.tracking import spool
from pipeline.tracking.connect import connect
from stages import _live
from stages._live import md5, watched
from stages.shared.dvc import digest as digest_of
from tests.stages.world import CHILDREN, enter, live, parents, publish, run, said, told

FINGERPRINT = Fingerprint(stage="train@x", params={"recipes.x.solver.lr": 1e-10}, deps={}, torch="2", device="cpu")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, where stages write their spool and start no follower."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FCN_TRACKING", "spool")
    return tmp_path


def events(root: Path) -> list[dict[str, Any]]:
    return spool.read(root / ".spool/train@x" / FINGERPRINT.digest / spool.EVENTS, 0)[0]


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


def test_off_and_in_processes_that_do_not_lead_nothing_is_written(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for mode, leads in (("off", True), ("spool", False)):
        monkeypatch.setenv("FCN_TRACKING", mode)
        with watched(FINGERPRINT, [], say=print, leads=leads) as observer:
            assert observer is None
    assert list(here.iterdir()) == []


def test_a_follower_is_started_where_none_lives(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    monkeypatch.setenv("FCN_TRACKING", "live")
    process = SimpleNamespace(Popen=lambda command, **how: started.append(command), DEVNULL=subprocess.DEVNULL)
    monkeypatch.setattr(_live, "subprocess", process)
    with watched(FINGERPRINT, [], say=print):
        assert len(started) == 1
    with locked(here / ".spool" / spool.FOLLOWER, wait=False), watched(FINGERPRINT, [], say=print):
        assert len(started) == 1
    with watched(FINGERPRINT, [], say=print):
        assert len(started) == 2


@pytest.mark.parametrize(
    ("ends", "status"),
    [(None, "FINISHED"), (ValueError, "FAILED"), (SystemExit, "KILLED"), (KeyboardInterrupt, "KILLED")],
)
def test_every_end_is_told(
    here: Path, monkeypatch: pytest.MonkeyPatch, ends: type[BaseException] | None, status: str
) -> None:
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
    begin, *scores, end = events(here)
    assert begin["params"] == {"recipes.solver.lr": "1e-10"}
    assert (begin["tags"]["dvc.key"], begin["tags"]["dvc.exp"]) == ("x", "hot-lava")
    assert json.loads(begin["texts"]["fingerprint.json"])["device"] == "cpu"
    written = digest_of({"eval/metrics.json": md5(Path("eval/metrics.json"))})
    assert end["tags"].get("dvc.outputs") == (written if status == "FINISHED" else None)
    assert [event["values"] for event in scores] == ([{"mean_iu/semantic": 0.5}] if status == "FINISHED" else [])
    assert end["status"] == status
    assert end["tags"].get("live.error") == ("ValueError: why" if status == "FAILED" else None)


def test_an_alarm_is_a_line_and_a_tag_and_with_strict_no_net_starts_after_it(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with watched(FINGERPRINT, [], say=print) as observer:
        assert observer
        observer.alarm(5, "it is stuck")
        observer.alarm(9, "one class")
    assert capsys.readouterr().err == "warning: train@x: it is stuck\nwarning: train@x: one class\n"
    assert [event["tags"] for event in events(here) if event["event"] == "tag"][-1] == {
        "alarm": "it is stuck; one class"
    }
    after, scored = (replace(FINGERPRINT, stage=stage) for stage in ("train@y", "evaluate@x"))
    with watched(after, [], say=print):
        pass  # nothing decides
    monkeypatch.setenv("FCN_STRICT", "1")
    with pytest.raises(Refusal, match=r"train@x raised an alarm \(one class\): train it anew, or remove .*/train@x"):
        watched(after, [], say=print).__enter__()
    with watched(scored, [], say=print):
        pass
    with watched(replace(FINGERPRINT, stage="validate@x"), [], say=print) as observer:
        assert observer
        observer.alarm(9, "below its band")
    with watched(FINGERPRINT, [], say=print):
        pass  # trained anew, with nothing to say: its validation's alarm is of the weights before
    with watched(after, [], say=print):
        pass


@pytest.fixture
def world(tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter(tmp_path, tables, monkeypatch)


def test_a_live_run_is_taken_with_its_curves_and_gets_what_its_files_say(world: Path) -> None:
    watched, scored = live(world, "train@voc-fcn8s", superseded="other"), live(world, "evaluate@voc-fcn8s")
    client, _ = connect(world)
    client.log_metric(scored.info.run_id, "mean_iu/semantic", 0.123, step=7)
    assert publish().startswith(said(new=CHILDREN - 2, completed=2))
    train, evaluate = run(world, "train@voc-fcn8s"), run(world, "evaluate@voc-fcn8s")
    assert (train.info.run_id, evaluate.info.run_id) == (watched.info.run_id, scored.info.run_id)
    assert train.data.tags["pipelines"] == parents(world)[0].data.tags["dvc.lock"][:8]
    assert "superseded" not in train.data.tags
    assert (train.data.tags["git.commit"], train.data.tags["live.fingerprint"]) == ("c0ffee", "f1")
    assert train.data.tags["mlflow.parentRunId"] == parents(world)[0].info.run_id
    assert {"dvc.inputs", "dvc.outputs", "mlflow.note.content"} <= train.data.tags.keys()
    assert "lineage.json" in told(world)[train.info.run_id][1]
    assert {"host", "recipe", "recipes.solver.lr"} <= train.data.params.keys()
    steps = [point.step for point in client.get_metric_history(train.info.run_id, "loss")]
    assert steps == list(range(1, 11)), "as they were watched, each once"
    assert [each.dataset.name for each in train.inputs.dataset_inputs] == ["voc/train"]
    assert evaluate.data.metrics["mean_iu/semantic"] == 0.5, "what the file says is what counts in the end"
    before = told(world)
    assert publish().startswith(said(unchanged=CHILDREN))
    assert told(world) == before


def test_of_live_runs_the_newest_finished_one_that_wrote_these_files_is_taken(world: Path) -> None:
    older, newer = live(world, "train@voc-fcn8s"), live(world, "train@voc-fcn8s")
    client, _ = connect(world)
    others = [
        live(world, "train@voc-fcn8s", **{"dvc.outputs": "other"}),
        live(world, "train@voc-fcn8s", status="KILLED"),
    ]
    publish()
    assert "dvc.inputs" in client.get_run(newer.info.run_id).data.tags
    for each in [older, *others]:
        assert "dvc.inputs" not in client.get_run(each.info.run_id).data.tags
