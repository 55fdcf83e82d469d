"""Training goes on from its newest whole snapshot to the same bytes, and never fails for want of one."""

from __future__ import annotations

import errno
import itertools
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipeline.core import files
from pipeline.core.types import Refusal
from pipeline.runtime.fingerprint import Fingerprint
from pipeline.shards.schema import read_manifest
from pipeline.training import snapshot
from pipeline.training.history import History, Tally
from pipeline.training.resume import Snapshots, opened
from pipeline.training.signals import Stopped
from pipeline.training.solver import Solver
from pipeline.training.train import start, train
from tests.training.world import classifier, recipe, shards

CPU = torch.device("cpu")
LR = "recipes.noise-fcn.solver.lr"
FINGERPRINT = Fingerprint(
    stage="train@noise-fcn",
    params={LR: 1e-8, "runtime.threads": 2},
    deps={"data/shards/noise/train": "a", "stages/train.py": "b"},
    torch="2.15.0",
    device="cpu AVX512",
)


class World:
    """A recipe of seven iterations to train in ``root``, again and again; ``said`` is what the last training said."""

    def __init__(self, root: Path, **changes: object) -> None:
        self.root = root
        self.recipe = recipe(iterations=7, heads=["semantic", "geometric"], **changes)
        self.shards = shards(root / "train")
        self.init = classifier(root / "init.safetensors")
        self.scratch = root / "snapshots"
        self.said: list[str] = []

    def snapshots(self, fingerprint: Fingerprint = FINGERPRINT, stop: int = 10**9, **options: object) -> Snapshots:
        """A snapshot after every iteration; the training is asked to stop after ``stop`` of them."""
        done = itertools.count(1)

        def asked() -> bool:
            return next(done) >= stop

        return Snapshots(self.scratch, fingerprint, seconds=0, asked=asked, say=self.said.append, **options)  # type: ignore[arg-type]

    def train(self, out: str, snapshots: Snapshots | None) -> dict[str, str]:
        """The digests of what it wrote."""
        self.said.clear()
        folder = self.root / out
        train(
            self.recipe,
            shards=self.shards,
            init=self.init,
            out=folder,
            device=CPU,
            say=lambda line: None,
            snapshots=snapshots,
        )
        return {path.name: files.sha256(path) for path in folder.iterdir()}

    def stop(self, iterations: int, fingerprint: Fingerprint = FINGERPRINT) -> list[Path]:
        """Train for so many iterations and leave; the snapshots, newest first."""
        snapshots = self.snapshots(fingerprint, stop=iterations)
        with pytest.raises(Stopped):
            self.train("never", snapshots)
        return snapshot.found(snapshots.folder)


def solver(tmp_path: Path) -> Solver:
    manifest = read_manifest(shards(tmp_path / "train"))
    net, _ = start(recipe(), classifier(tmp_path / "init.safetensors"), manifest)
    return Solver(net, recipe().solver, net.spec.heads)


@pytest.mark.parametrize("iteration", [1, 3, 6])
def test_a_stopped_training_goes_on_to_the_same_bytes(tmp_path: Path, iteration: int) -> None:
    world = World(tmp_path)
    whole = world.train("whole", None)
    newest, *_ = world.stop(iteration)
    assert world.said == [f"stopped at iteration {iteration} of 7: a rerun goes on from iteration {iteration}"]
    state = json.loads((newest.parent / "state.json").read_text())
    assert state == {"status": "KILLED", "iteration": iteration}
    assert world.train("again", world.snapshots()) == whole
    assert world.said == [f"resuming at iteration {iteration} of 7"]
    assert list(world.scratch.iterdir()) == []


def test_the_half_filled_window_of_the_history_goes_on() -> None:
    whole, first, second = History(900), History(900), History(900)
    tallies = [
        Tally(loss={"semantic": 1 / (n + 3), "geometric": 0.1 * n}, count={"semantic": n, "geometric": 7})
        for n in range(8)
    ]
    for history, part in ((whole, range(8)), (first, range(4))):
        for n in part:
            history.add(n, tallies[n])
    second.restore(json.loads(json.dumps(first.state())))
    for n in range(4, 8):
        second.add(n, tallies[n])
    assert second.rows == whole.rows
    assert second.state() == whole.state()


def test_what_is_taken_does_not_move_with_the_training(tmp_path: Path) -> None:
    standing = solver(tmp_path)
    taken = snapshot.take(standing, History(20))
    before = {name: tensor.clone() for name, tensor in taken.tensors.items()}
    with torch.no_grad():
        for tensor in [*standing.net.parameters(), *standing.velocity().values()]:
            tensor.add_(1)
    assert all(torch.equal(taken.tensors[name], tensor) for name, tensor in before.items())


def test_equal_states_are_equal_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    standing = solver(tmp_path)
    paths = [snapshot.write(snapshot.take(standing, History(20)), tmp_path / name) for name in ("a", "b")]
    assert paths[0].name == paths[1].name == f"iteration-000000000-{files.sha256(paths[0])[:16]}.safetensors"


def test_a_disk_that_fills_up_at_the_flush_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    standing = solver(tmp_path)
    (tmp_path / "folder").mkdir()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        snapshot.write(snapshot.take(standing, History(20)), tmp_path / "folder")
    assert list((tmp_path / "folder").iterdir()) == []


def test_two_are_kept_and_what_was_half_written_goes(tmp_path: Path) -> None:
    world = World(tmp_path)
    folder = world.stop(1)[0].parent
    (folder / ".partial").write_bytes(b"half")
    (folder / ".tmpKilled").write_bytes(b"half")
    found = world.stop(4)
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [*(path.name for path in found), "fingerprint.json", "state.json"]
    )
    assert len(found) == 2
    assert snapshot.iteration_of(found[0]) == 5  # one, then four more


def spoil_truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def spoil_emptied(path: Path) -> None:
    path.write_bytes(b"")


def spoil_flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("spoil", [spoil_truncated, spoil_emptied, spoil_flipped])
def test_a_damaged_snapshot_is_passed_over_for_the_older(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    world = World(tmp_path)
    whole = world.train("whole", None)
    world.stop(2)
    newest, older = world.stop(1)
    assert snapshot.iteration_of(older) == 2
    spoil(newest)
    assert world.train("again", world.snapshots()) == whole
    assert world.said == [
        f"{newest} is unreadable (its bytes are not those that its name tells): passed over",
        "resuming at iteration 2 of 7",
    ]


def test_a_damaged_snapshot_does_not_push_out_whole_ones(tmp_path: Path) -> None:
    world = World(tmp_path)
    newest = world.stop(6)[0]
    spoil_truncated(newest)
    for path in snapshot.found(newest.parent)[1:]:
        path.unlink()
    found = world.stop(3)
    assert newest not in found
    assert world.said == [
        f"{newest} is unreadable (its bytes are not those that its name tells): passed over",
        "no snapshot is readable: starting fresh",
        "stopped at iteration 3 of 7: a rerun goes on from iteration 3",
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"params": {LR: 2e-8, "runtime.threads": 2}}, f"{LR} 1e-08 → 2e-08"),
        ({"deps": {"data/shards/noise/train": "a", "stages/train.py": "c"}}, "stages/train.py"),
        ({"torch": "2.16.0", "device": "cpu AVX2"}, "torch 2.15.0 → 2.16.0, device cpu AVX512 → cpu AVX2"),
        (
            {"params": {f"p{n}": n for n in range(7)}},
            "p0 None → 0, p1 None → 1, p2 None → 2, p3 None → 3, p4 None → 4, 4 more",
        ),
    ],
)
def test_another_fingerprint_starts_fresh_and_names_what_changed(
    tmp_path: Path, changes: dict[str, object], told: str
) -> None:
    world = World(tmp_path)
    whole = world.train("whole", None)
    before = world.stop(4)[0]
    assert world.train("again", world.snapshots(replace(FINGERPRINT, **changes))) == whole  # type: ignore[arg-type]
    assert len(world.said) == 1
    assert world.said[0].startswith(f"fingerprint changed ({told}")
    assert world.said[0].endswith("): starting fresh")
    assert not before.exists()  # the stage ended well


def test_the_snapshots_of_another_fingerprint_wait_for_its_return(tmp_path: Path) -> None:
    world = World(tmp_path)
    whole = world.train("whole", None)
    world.stop(4)
    world.stop(2, replace(FINGERPRINT, torch="2.16.0"))
    assert world.train("again", world.snapshots()) == whole
    assert world.said == ["resuming at iteration 4 of 7"]


def test_a_file_where_the_folder_should_be_is_told_once_and_training_ends_well(tmp_path: Path) -> None:
    world = World(tmp_path)
    whole = world.train("whole", None)
    world.scratch.write_text("")
    assert world.train("again", world.snapshots()) == whole
    (line,) = world.said
    assert line.startswith("no snapshot at iteration 1 ([Errno 20] Not a directory: ")
    assert line.endswith("): training goes on without")


def test_without_a_place_for_snapshots_a_stop_tells_where_a_rerun_starts(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.scratch.write_text("")
    world.stop(1)
    assert len(world.said) == 1
    assert world.said[0].startswith("stopped at iteration 1 of 7, which could not be written down ([Errno 20] Not a ")
    assert world.said[0].endswith("): a rerun starts from the beginning")


def test_asked_in_the_last_iteration_it_ends_well(tmp_path: Path) -> None:
    world = World(tmp_path)
    whole = world.train("whole", None)
    assert world.train("again", world.snapshots(stop=7)) == whole


def test_other_ranks_read_and_stop_but_write_and_say_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    whole = world.train("whole", None)
    newest = world.stop(3)[0]
    before = {path: path.stat().st_mtime_ns for path in newest.parent.iterdir()}
    with pytest.raises(Stopped):
        world.train("never", world.snapshots(writes=False, stop=2))
    assert world.train("again", world.snapshots(writes=False)) == whole
    assert world.said == []
    assert {path: path.stat().st_mtime_ns for path in newest.parent.iterdir()} == before


def test_a_beat_is_skipped_while_the_last_write_is_not_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    over, written = threading.Event(), []

    def write(taken: snapshot.Snapshot, folder: Path) -> Path:
        over.wait()
        written.append(taken.iteration)
        return folder / f"iteration-{taken.iteration:09d}-x.safetensors"

    monkeypatch.setattr(snapshot, "write", write)
    standing, snapshots = solver(tmp_path), Snapshots(tmp_path, FINGERPRINT, seconds=0)
    for iteration in (1, 2, 3):
        standing.iteration = iteration
        snapshots.beat(standing, History(20))  # returns at once
    over.set()
    snapshots.clear()
    assert written == [1]


def test_until_a_minute_has_passed_nothing_is_written(tmp_path: Path) -> None:
    world = World(tmp_path)
    snapshots = Snapshots(world.scratch, FINGERPRINT, say=world.said.append)
    world.train("run", snapshots)
    assert not world.scratch.exists()


def test_the_environment_says_where_and_how_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FCN_SNAPSHOTS", str(tmp_path))
    monkeypatch.setenv("FCN_SNAPSHOT_SECONDS", "0.5")
    snapshots = opened(FINGERPRINT, asked=lambda: False, say=print)
    assert snapshots.folder == tmp_path / "train@noise-fcn" / FINGERPRINT.digest
    assert snapshots.seconds == 0.5
    monkeypatch.setenv("FCN_SNAPSHOT_SECONDS", "soon")
    with pytest.raises(Refusal, match="FCN_SNAPSHOT_SECONDS is 'soon': give a number of seconds"):
        opened(FINGERPRINT, asked=lambda: False, say=print)
