"""Training goes on from its newest whole snapshot to the same bytes, and never fails for want of one."""

import errno
import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.types import Refusal
from pipeline.runtime.fingerprint import Fingerprint
from pipeline.shards.schema import read_manifest
from pipeline.training import snapshot
from pipeline.training.loss import History
from pipeline.training.resume import Snapshots, Stopped, opened
from pipeline.training.solver import Solver
from pipeline.training.surgery import start
from tests.training.world import classifier, fit, recipe, shards

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

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "snapshots"
        self.said: list[str] = []

    def snapshots(self, fingerprint: Fingerprint = FINGERPRINT, stop: int = 10**9, **options: object) -> Snapshots:
        """A snapshot after every iteration; the training is asked to stop after ``stop`` of them."""
        done = itertools.count(1)
        asked = lambda: next(done) >= stop  # noqa: E731
        return Snapshots(
            root=self.folder, fingerprint=fingerprint, seconds=0, asked=asked, say=self.said.append, **options
        )  # type: ignore[arg-type]

    def train(self, out: str, snapshots: Snapshots | None) -> dict[str, str]:
        """The digests of what it wrote."""
        self.said.clear()
        return fit(self.root, out, row=recipe(iterations=7, heads=["semantic", "geometric"]), snapshots=snapshots)

    def stop(self, iterations: int, fingerprint: Fingerprint = FINGERPRINT) -> list[Path]:
        """Train for so many iterations and leave; the snapshots, newest first."""
        snapshots = self.snapshots(fingerprint, stop=iterations)
        with pytest.raises(Stopped):
            self.train("never", snapshots)
        return snapshot.found(snapshots.folder)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def solver(tmp_path: Path) -> Solver:
    manifest = read_manifest(shards(tmp_path / "train"))
    net, _ = start(recipe(), classifier(tmp_path / "init.safetensors"), manifest)
    return Solver(net, recipe().solver, net.spec.heads)


@pytest.mark.parametrize("iteration", [1, 6])
def test_a_stopped_training_goes_on_to_the_same_bytes(world: World, iteration: int) -> None:
    whole = world.train("whole", None)
    world.stop(iteration)
    assert world.said == [f"stopped at iteration {iteration} of 7: a rerun goes on from iteration {iteration}"]
    assert world.train("again", world.snapshots()) == whole
    assert world.said == [f"resuming at iteration {iteration} of 7"]
    assert list(world.folder.iterdir()) == []


def test_a_disk_that_fills_up_leaves_nothing(tmp_path: Path, solver: Solver, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder").mkdir()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        snapshot.write(snapshot.take(solver, History(20)), tmp_path / "folder")
    assert list((tmp_path / "folder").iterdir()) == []


def test_two_are_kept_and_what_was_half_written_goes(world: World) -> None:
    folder = world.stop(1)[0].parent
    (folder / ".partial").write_bytes(b"half")
    (folder / ".tmpKilled").write_bytes(b"half")
    found = world.stop(4)
    assert {path.name for path in folder.iterdir()} == {"fingerprint.json", *(path.name for path in found)}
    newest, older = map(snapshot.iteration_of, found)
    assert newest == 5  # one, then four more; while a snapshot is written, no other begins
    assert 1 < older < 5


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("spoil", [lambda content: content[:-100], lambda content: b"", flipped])
def test_a_damaged_snapshot_is_passed_over_for_the_older(world: World, spoil: Callable[[bytes], bytes]) -> None:
    whole = world.train("whole", None)
    world.stop(2)
    newest, older = world.stop(1)
    assert snapshot.iteration_of(older) == 2
    newest.write_bytes(spoil(newest.read_bytes()))
    assert world.train("again", world.snapshots()) == whole
    assert world.said == [
        f"{newest} is unreadable (its bytes are not those that its name tells): passed over",
        "resuming at iteration 2 of 7",
    ]


@pytest.mark.parametrize(
    ("changes", "named"),
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
def test_another_fingerprint_starts_fresh_and_says_why(world: World, changes: dict[str, object], named: str) -> None:
    whole = world.train("whole", None)
    before = world.stop(4)[0]
    assert world.train("again", world.snapshots(replace(FINGERPRINT, **changes))) == whole  # type: ignore[arg-type]
    assert len(world.said) == 1
    assert world.said[0].startswith(f"fingerprint changed ({named}")
    assert world.said[0].endswith("): starting fresh")
    assert not before.exists()  # the stage ended well


def test_a_file_where_the_folder_should_be_is_told_once_and_training_ends_well(world: World) -> None:
    whole = world.train("whole", None)
    world.folder.write_text("")
    assert world.train("again", world.snapshots()) == whole
    (line,) = world.said
    assert line.startswith("no snapshot at iteration 1 ([Errno 20] Not a directory: ")
    assert line.endswith("): training goes on without")
    world.stop(1)
    (line,) = world.said
    assert line.startswith("stopped at iteration 1 of 7, which could not be written down ([Errno 20] Not a directory: ")
    assert line.endswith("): a rerun starts from the beginning")


def test_asked_in_the_last_iteration_it_ends_well(world: World) -> None:
    whole = world.train("whole", None)
    assert world.train("again", world.snapshots(stop=7)) == whole


def test_other_ranks_read_and_stop_but_write_and_say_nothing(world: World) -> None:
    whole = world.train("whole", None)
    newest = world.stop(3)[0]
    before = {path: path.stat().st_mtime_ns for path in newest.parent.iterdir()}
    with pytest.raises(Stopped):
        world.train("never", world.snapshots(writes=False, stop=2))
    assert world.train("again", world.snapshots(writes=False)) == whole
    assert world.said == []
    assert {path: path.stat().st_mtime_ns for path in newest.parent.iterdir()} == before


def test_the_environment_says_where_and_how_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FCN_SNAPSHOTS", str(tmp_path))
    monkeypatch.setenv("FCN_SNAPSHOT_SECONDS", "0.5")
    snapshots = opened(FINGERPRINT, asked=lambda: False, say=print)
    assert snapshots.folder == tmp_path / "train@noise-fcn" / FINGERPRINT.digest
    assert snapshots.seconds == 0.5
    monkeypatch.setenv("FCN_SNAPSHOT_SECONDS", "soon")
    with pytest.raises(Refusal, match="FCN_SNAPSHOT_SECONDS is 'soon': give a number of seconds"):
        opened(FINGERPRINT, asked=lambda: False, say=print)


def test_the_snapshots_of_another_fingerprint_wait_for_its_return(world: World) -> None:
    whole = world.train("whole", None)
    world.stop(4)
    world.stop(2, replace(FINGERPRINT, torch="2.16.0"))
    assert world.train("again", world.snapshots()) == whole
    assert world.said == ["resuming at iteration 4 of 7"]
