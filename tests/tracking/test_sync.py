"""What stages tell reaches MLflow once: after kill -9, without a server for a while, and on another server."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from pipeline.core.types import Refusal
from pipeline.tracking import runs as logging
from pipeline.tracking import spool
from pipeline.tracking.connect import connect
from pipeline.tracking.spool import Spool
from pipeline.tracking.sync import sync
from tests.tracking.servers import unplug
from tests.training.world import repository

ITERATIONS = 600  # a point every second iteration
CURVES = ("loss", "lr_log10", "throughput", "wait")


@pytest.fixture(autouse=True)
def store(tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(tables, tmp_path / "mlflow.db")


@pytest.fixture
def world(tmp_path: Path) -> Path:
    return repository(tmp_path, iterations=ITERATIONS)


def send(root: Path) -> list[str]:
    return sync(root, root / ".spool")


def runs(root: Path) -> tuple[MlflowClient, list[Run]]:
    client, experiment = connect(root)
    return client, list(client.search_runs([experiment]))


def steps(client: MlflowClient, run: Run, curve: str) -> list[int]:
    return [metric.step for metric in client.get_metric_history(run.info.run_id, curve)]


def spooled(root: Path, last: int = 3, fingerprint: str = "f", **begin: dict[str, str]) -> Spool:
    """A stage that is at work, with a loss for each step."""
    written = Spool(root / f".spool/train@x/{fingerprint}")
    written.begin(**{"tags": {}, "params": {}, "texts": {}, **begin})
    for step in range(1, last + 1):
        written.point(step, {"loss": 1 / step, "lr_log10": -1.0})
    return written


def start(root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "stages.train", "noise-fcn"],
        cwd=root,
        env={**os.environ, "FCN_TRACKING": "spool", "FCN_SNAPSHOT_SECONDS": "0.2"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def stop_at(root: Path, step: int, process: subprocess.Popen[str]) -> None:
    """Let the training go on until it has told ``step``, and halt it there."""
    process.send_signal(signal.SIGCONT)
    path = root / ".spool/train@noise-fcn"
    while not any(
        event.get("step", 0) >= step
        for file in path.glob(f"*/{spool.EVENTS}")
        for event in spool.read(file, 0)[0]
        if event["event"] == "point"
    ):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    process.send_signal(signal.SIGSTOP)


def ended(process: subprocess.Popen[str]) -> int:
    """Its exit code, when it has gone on to its end."""
    process.send_signal(signal.SIGCONT)
    process.communicate()
    return process.returncode


def assert_whole(root: Path) -> Run:
    """One run with every step of every curve once, the pictures of nine moments, and the digests that adopt it."""
    client, (run,) = runs(root)
    assert run.info.status == "FINISHED"
    every = list(range(2, ITERATIONS + 1, 2))
    assert steps(client, run, "loss") == every
    assert steps(client, run, "lr_log10") == every
    for curve in CURVES[2:]:  # told by the clock of one process: the row in which it was killed has none
        found = steps(client, run, curve)
        assert sorted(set(found)) == found
    pictures = [file.path for file in client.list_artifacts(run.info.run_id, "images")]
    assert len([path for path in pictures if path.endswith(".png")]) == 9 * 6
    assert run.data.tags["dvc.outputs"]
    return run


@pytest.mark.parametrize(("end", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 143)])
def test_killed_and_run_again_it_is_one_run_with_every_step_once(world: Path, end: signal.Signals, code: int) -> None:
    process = start(world)
    stop_at(world, 200, process)
    assert send(world)[0].endswith(" RUNNING")
    process.send_signal(end)
    assert ended(process) == code
    assert send(world)[0].endswith(" KILLED")
    assert [run.info.status for run in runs(world)[1]] == ["KILLED"]
    process = start(world)
    stop_at(world, 300, process)
    assert send(world)[0].endswith(" RUNNING")
    assert [run.info.status for run in runs(world)[1]] == ["RUNNING"]
    process.send_signal(signal.SIGCONT)
    said = process.communicate()[0]
    assert (process.returncode, "resuming at iteration" in said) == (0, True), said
    send(world)
    assert_whole(world)
    assert not list(spool.spools(world / ".spool"))
    assert send(world) == []


@pytest.mark.parametrize("after", [False, True])
def test_what_breaks_off_anywhere_the_next_pass_makes_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    """The connection breaks at the first request, then at the second, and so on, before or after it did its work."""
    monkeypatch.setattr(logging, "METRICS", 7)
    monkeypatch.setattr(logging, "PARAMS", 2)
    texts, params = {"changes.patch": "+"}, {f"p{n}": "1" for n in range(5)}
    written = spooled(tmp_path, 10, tags={"git.commit": "c"}, params=params, texts=texts)
    for step in (0, 5, 10):
        written.picture(step, "training/cat", np.zeros((2, 2, 3), np.uint8))
    written.tag({"alarm": "it is stuck"})
    written.end("FINISHED", {"dvc.outputs": "m"})
    broken = 0
    while True:
        try:
            with monkeypatch.context() as patch:
                unplug(patch, REQUESTS, at=broken + 1, after=after)
                send(tmp_path)
            break
        except Refusal as refusal:
            assert "failed (unplugged): run it again, it goes on from there" in str(refusal)
            broken += 1
    assert broken >= len(REQUESTS)
    client, (run,) = runs(tmp_path)
    assert run.info.status == "FINISHED"
    assert (run.data.tags["dvc.outputs"], run.data.tags["alarm"], len(run.data.params)) == ("m", "it is stuck", 5)
    for curve in ("loss", "lr_log10"):
        assert steps(client, run, curve) == list(range(1, 11))
    names = [Path(file.path).name for file in client.list_artifacts(run.info.run_id, "images")]
    assert len([name for name in names if name.endswith(".png")]) == 3


REQUESTS = ("create_run", "log_batch", "log_text", "log_image", "set_terminated")


def test_another_server_gets_everything(tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = spooled(tmp_path, 0)
    for step, server in enumerate(("one", "other"), 1):
        shutil.copy(tables, tmp_path / f"{server}.db")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/{server}.db")
        written.point(step, {"loss": 1.0})
        send(tmp_path)
        client, (run,) = runs(tmp_path)
        assert steps(client, run, "loss") == list(range(1, step + 1))


def test_work_done_again_adds_nothing_to_its_run_but_its_duration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at once, run again 40 minutes later in 6 s, and 40 minutes later in 5 s."""
    clock = [1_800_000_000_000]
    monkeypatch.setattr(spool.time, "time_ns", lambda: clock[0] * 1_000_000)
    for seconds, status in ((1, "KILLED"), (6, "FINISHED"), (5, "FINISHED")):
        written = spooled(tmp_path)
        send(tmp_path)
        clock[0] += 1000 * seconds
        written.end(status, {})
        send(tmp_path)
        client, (run,) = runs(tmp_path)
        assert (run.info.status, steps(client, run, "loss")) == (status, [1, 2, 3])
        assert run.info.end_time - run.info.start_time == 1000 * seconds
        clock[0] += 40 * 60_000


def test_a_run_that_another_took_the_place_of_before_it_was_published_is_marked(tmp_path: Path) -> None:
    for fingerprint in ("old", "new", "old"):
        spooled(tmp_path, fingerprint=fingerprint).end("FINISHED", {})
        send(tmp_path)
    _, found = runs(tmp_path)
    old, new = sorted(found, key=lambda run: run.data.tags["live.fingerprint"] == "new")
    assert (new.data.tags.get("superseded"), old.data.tags.get("superseded")) == (old.info.run_id, None)


def test_a_run_that_was_forced_and_wrote_what_a_published_one_wrote_is_marked(tmp_path: Path) -> None:
    for fingerprint in ("published", "forced"):
        spooled(tmp_path, fingerprint=fingerprint).end("FINISHED", {"dvc.outputs": "same"})
        send(tmp_path)
        client, found = runs(tmp_path)
        by = {run.data.tags["live.fingerprint"]: run for run in found}
        client.set_tag(by["published"].info.run_id, "dvc.inputs", "those")
    assert by["forced"].data.tags["superseded"] == by["published"].info.run_id
    assert "superseded" not in by["published"].data.tags


LONG = "a photograph of an autumn forest (near Ayutthaya) " * 8


def test_names_as_long_as_people_make_them_are_shown(tmp_path: Path) -> None:
    long = {f"{LONG}{n}": "y" * 9000 for n in "([{"}
    written = spooled(tmp_path, params=long, tags=dict.fromkeys("ab", "y" * 9000))
    for name in (f"{LONG}.jpg", f"{LONG}.png", "é" * 190, "日本/" * 60, "../..", "a\nb\udc80"):
        written.picture(1, name, np.zeros((2, 2, 3), np.uint8))
        written.point(9, {f"iu/{name}": 1.0})
    written.end("FINISHED", {})
    assert len(send(tmp_path)) == 1
    client, (run,) = runs(tmp_path)
    assert len(run.data.params) == 3 and len(run.data.metrics) == 8
    names = [Path(file.path).name for file in client.list_artifacts(run.info.run_id, "images")]
    assert len([name for name in names if name.endswith(".png")]) == 6
    assert not list(spool.spools(tmp_path / ".spool"))


def test_an_event_that_mlflow_never_takes_is_set_aside_and_told_and_the_rest_is_sent(tmp_path: Path) -> None:
    written = spooled(tmp_path, params={"lr": "1"})
    send(tmp_path)
    written.begin(tags={}, params={"lr": "2", "seed": "1"}, texts={})  # MLflow changes no param
    for step in (1, 2, 3):
        written.picture(step, "cat", np.zeros((2, 2, 3), np.uint8))
    pictures = sorted((written.folder / spool.PICTURES).iterdir())
    pictures[0].unlink()
    pictures[1].write_bytes(pictures[1].read_bytes()[:40])
    with (written.folder / spool.EVENTS).open("ab") as events:
        events.write(b'{"event": "poi\x00\xff\n')
    written.point(4, {"loss": 0.1})
    written.end("FINISHED", {})
    _, *said = send(tmp_path)
    assert len(said) == 4 and all("cannot be shown in MLflow" in line for line in said), said
    aside = [json.loads(line) for line in (tmp_path / ".spool" / spool.ASIDE).read_text().splitlines()]
    assert {row["event"] for row in aside} == {"unreadable", "Param", "picture"}
    assert all(row["stage"] == "train@x" and row["why"] for row in aside)
    client, (run,) = runs(tmp_path)
    assert (run.info.status, run.data.params) == ("FINISHED", {"lr": "1", "seed": "1"})
    assert steps(client, run, "loss") == [1, 2, 3, 4]
    assert len([1 for file in client.list_artifacts(run.info.run_id, "images") if "+3+" in file.path]) == 2
    assert send(tmp_path) == []
