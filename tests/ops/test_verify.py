"""``fcn verify`` proves that dvc.lock can be had again, or names the first file that cannot and what changed."""

import hashlib
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
import yaml
from click.testing import Result

from pipeline import proof
from pipeline.proof import Proof
from stages.shared import dvc
from tests.launch import fcn, git
from tests.ops.test_run import dvc as run_dvc
from tests.ops.test_run import project

DVC = """
stages:
  make:
    foreach: ${worlds}
    do: {cmd: "python make.py ${key}", deps: [make.py], params: ["worlds.${key}"], outs: ["data/${key}"]}
  count: {cmd: 'printf %s "$(ls data/a | wc -l)" > n.txt', deps: [data/a], outs: [n.txt: {cache: false}]}
  tell: {cmd: echo told, deps: [n.txt]}
"""
MAKE = """
import pathlib, sys
import yaml
rows = yaml.safe_load(open("params.yaml"))["worlds"][sys.argv[1]]
folder = pathlib.Path("data") / sys.argv[1]
folder.mkdir(parents=True)
for row in range(rows):
    (folder / f"{row}.txt").write_text(f"row {row}")
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose pipeline git tracks and dvc has run: starting dvc takes seconds, copying this none."""
    root = tmp_path_factory.mktemp("ran")
    project(root, {})
    (root / "dvc.yaml").write_text(DVC)
    (root / "params.yaml").write_text("worlds: {a: 3, b: 2}\n")
    (root / "make.py").write_text(MAKE)
    run_dvc(root, "repro", "-q", PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    git(root, "add", ".")
    return root


@pytest.fixture
def world(ran: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to spoil, the working directory; temporary folders are made beside it."""
    shutil.copytree(ran, tmp_path / "world", symlinks=True)
    (tmp_path / "tmp").mkdir()
    monkeypatch.chdir(tmp_path / "world")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path / "world"


def verify(*arguments: str) -> Result:
    """With nothing left behind, whatever comes out."""
    done = fcn("verify", *arguments)
    assert not [*Path(tempfile.gettempdir()).iterdir()]
    return done


def tree(folder: Path) -> dict[Path, tuple[bytes, int]]:
    """All that is there but the proofs."""
    files = [path for path in folder.rglob("*") if path.is_file() and ".verified" not in path.parts]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def outcomes(done: Result) -> dict[str, str]:
    return {line.split("  ")[0]: line.split("  ")[1] for line in done.stdout.splitlines()}


def test_a_clean_tree_gives_the_same_and_is_not_touched(world: Path) -> None:
    before = tree(world)
    done = verify()
    assert done.exit_code == 0, done.output
    assert outcomes(done) == {"make@a": "same", "make@b": "same", "count": "same"}
    assert tree(world) == before


def test_what_came_out_the_same_is_proved_and_only_for_what_dvc_lock_says(world: Path) -> None:
    shutil.rmtree(world / "data/b")  # no business of count's
    assert outcomes(verify("count")) == {"count": "same"}
    entry = dvc.entries(world)["count"]
    found = proof.read(world, "count")
    assert found is not None
    assert not proof.lacking(found, "count", entry.inputs, entry.outputs)
    assert set(json.loads((world / ".verified/count.json").read_text())) == set(Proof.__dataclass_fields__)
    assert str(world) not in (world / ".verified/count.json").read_text()
    assert "is of other inputs" in proof.lacking(found, "count", entry.inputs, "others")
    assert proof.lacking(proof.read(world, "make@a"), "make@a", "i", "o").startswith("nobody ran make@a again")
    assert [path.name for path in (world / ".verified").iterdir()] == ["count.json"]


def test_the_same_from_changed_code_proves_nothing_and_other_bytes_withdraw_the_proof(world: Path) -> None:
    append(world / "make.py", "# another comment\n")
    done = verify("make@a")
    assert outcomes(done) == {"make@a": "same"}
    assert done.stdout.endswith(" s, but no proof of dvc.lock; changed since: make.py\n")
    assert proof.read(world, "make@a") is None
    verify("count")
    relock(world, outs=[{"path": "n.txt", "hash": "md5", "md5": "0" * 32}])
    verify("count")
    assert proof.read(world, "count") is None


def test_a_torn_or_foreign_proof_is_none(tmp_path: Path) -> None:
    (tmp_path / ".verified").mkdir()
    for text in ("", "{", "[]", "{}", '{"stage": "count"}', '"count"'):
        (tmp_path / ".verified/count.json").write_text(text)
        assert proof.read(tmp_path, "count") is None


@pytest.mark.parametrize("held", [True, False], ids=["in cache", "in workspace"])
def test_code_that_writes_other_bytes_is_told_with_the_first_file(world: Path, held: bool) -> None:
    if not held:
        shutil.rmtree(world / ".dvc/cache")
    append(world / "make.py", '(folder / "1.txt").write_text("other")\n')
    done = verify()
    assert done.exit_code == 1
    before, after = (hashlib.md5(text).hexdigest()[:8] for text in (b"row 1", b"other"))
    line = f"make@a  DIFFERS  data/a/1.txt: {before}… in dvc.lock, {after}… here; changed since: make.py"
    assert line in done.stdout.splitlines()
    assert outcomes(done) == {"make@a": "DIFFERS", "make@b": "DIFFERS", "count": "skipped"}
    assert "count  skipped  builds on make@a" in done.stdout


def test_a_hash_that_dvc_never_wrote_is_told_and_nothing_is_blamed(world: Path) -> None:
    relock(world, outs=[{"path": "n.txt", "hash": "md5", "md5": "0" * 32}])
    done = verify("count")
    assert done.exit_code == 1
    here = hashlib.md5(b"3").hexdigest()[:8]
    assert done.stdout == (
        f"count  DIFFERS  n.txt: 00000000… in dvc.lock, {here}… here; changed since: nothing it reads; this processor "
        "should give the same: pytest tests/test_portable.py names an operation that does not\n"
    )
    relock(world, cmd="true")
    said = verify("count").stdout
    assert "count  DIFFERS  n.txt: 00000000… in dvc.lock, none here" in said, "git's does not stand in"


def test_a_param_that_changed_is_named(world: Path) -> None:
    (world / "params.yaml").write_text("worlds: {a: 4, b: 2}\n")
    told = verify("make@a").stdout
    here = hashlib.md5(b"row 3").hexdigest()[:8]
    assert told == (f"make@a  DIFFERS  data/a/3.txt: none in dvc.lock, {here}… here; changed since: worlds.a\n")


def test_an_input_that_is_not_the_locked_one_is_refused(world: Path) -> None:
    (world / "data/a/2.txt").write_text("spoilt")
    done = verify("count")
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: data/a differs from dvc.lock (data/a/2.txt: ")
    assert done.stderr.endswith("here): run dvc repro or dvc checkout\n")
    assert outcomes(verify()) == {"make@a": "same", "make@b": "same", "count": "same"}, "made anew"
    shutil.rmtree(world / "data/a")
    assert verify("count").stderr == "Error: data/a is missing: run dvc repro or dvc checkout\n"


def test_a_command_that_fails_is_told_with_its_last_words(world: Path) -> None:
    append(world / "make.py", 'sys.exit("no more")\n')
    done = verify("count", "make@a")
    assert done.exit_code == 1
    assert done.stdout == "make@a  FAILED  python make.py a: exit 1\nno more\ncount  skipped  builds on make@a\n"


def test_a_wrong_name_is_refused_with_a_near_one(world: Path) -> None:
    assert verify("make@c").stderr == "Error: dvc.lock has no outputs of a stage make@c: did you mean 'make@b'?\n"
    assert verify("tell").stderr == "Error: dvc.lock has no outputs of a stage tell: it has make@a, make@b, count\n"


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def relock(root: Path, **fields: object) -> None:
    """Write ``fields`` over count's entry in dvc.lock."""
    lock = yaml.safe_load((root / "dvc.lock").read_text())
    lock["stages"]["count"] |= fields
    (root / "dvc.lock").write_text(yaml.safe_dump(lock))
