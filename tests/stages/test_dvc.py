"""dvc.yaml, params.yaml and dvc.lock as stages read them, and the fingerprint that they give a stage."""

import errno
import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest
import torch
import yaml
from click.testing import CliRunner

from ops.compose import composed
from pipeline.core.types import Refusal
from pipeline.runtime.fingerprint import Fingerprint
from stages.shared import dvc, fingerprint
from stages.shared.dvc import declared
from stages.shared.stage import Stage
from tests.closure import ROOT
from tests.training.world import configure, repository

CPU = torch.device("cpu")


def of(root: Path) -> Fingerprint:
    return fingerprint.fingerprint(declared("train@noise-fcn", root), CPU, root)


def test_the_document_names_params_deps_and_what_computes_and_comes_back_from_its_file(tmp_path: Path) -> None:
    document = of(repository(tmp_path, skip_scales=[0.5, 0.2]))
    assert document.stage == "train@noise-fcn"
    assert document.params["recipes.noise-fcn.solver.lr"] == 1e-7
    assert not [name for name in document.params if "evaluate" in name]
    assert {"weights/vgg16-fcn.safetensors", "data/shards/noise", "stages/train.py"} <= set(document.deps)
    assert None not in document.deps.values()
    assert document.torch == torch.__version__
    assert document.device == f"cpu {torch.backends.cpu.get_cpu_capability()}"
    (tmp_path / "fingerprint.json").write_text(json.dumps(document.to_json()))
    again = Fingerprint.read(tmp_path / "fingerprint.json")
    assert again == document
    assert (again.digest, again.since(document)) == (document.digest, "")


def test_each_param_dep_and_line_of_code_counts(tmp_path: Path) -> None:
    root = repository(tmp_path)
    (root / "stages").unlink()
    shutil.copytree(ROOT / "stages", root / "stages")
    first = of(root)
    configure(root, lr=2e-5)
    second = of(root)
    assert second.since(first) == "recipes.noise-fcn.solver.lr 1e-07 → 2e-05"
    with (root / "stages/train.py").open("a") as file:
        file.write("# a comment\n")
    third = of(root)
    assert third.since(second) == "stages/train.py"
    (root / "data/shards/noise/train/_manifest.json").unlink()
    fourth = of(root)
    assert fourth.since(third) == "data/shards/noise"
    assert len({each.digest for each in (first, second, third, fourth)}) == 4


def test_other_rows_other_stages_params_and_shards_but_for_their_manifest_do_not_count(tmp_path: Path) -> None:
    root = repository(tmp_path)
    before = of(root)
    params = yaml.safe_load((root / "params.yaml").read_text())
    params["recipes"]["other"] = {**params["recipes"]["noise-fcn"], "net": {"stride": 8}}
    params["recipes"]["noise-fcn"]["evaluate"] = {"shards": "noise", "split": "another"}
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    (part,) = (root / "data/shards/noise/train").glob("*.parquet")
    part.write_bytes(b"what the manifest says of it is what counts")
    assert of(root) == before


def test_other_folders_count_by_all_their_files(tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner/a.bin").write_bytes(b"a")
    found = [fingerprint.digest(folder)]
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__/a.pyc").write_bytes(b"a")
    assert fingerprint.digest(folder) == found[0]
    (folder / "inner/a.bin").write_bytes(b"b")
    found.append(fingerprint.digest(folder))
    (folder / "inner/a.bin").rename(folder / "inner/b.bin")
    found.append(fingerprint.digest(folder))
    (folder / "b.bin").write_bytes(b"")
    found.append(fingerprint.digest(folder))
    assert len(set(found)) == 4
    assert fingerprint.digest(tmp_path / "nowhere") is None


def test_stages_of_a_foreach_over_an_empty_or_nested_map(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("downloads: {}\nnested: {rows: {b: 1, a: 2}}\n")
    rows = {"one": "${downloads}", "two": "${nested.rows}"}
    stages = {name: {"foreach": each, "do": {"cmd": "x ${item}"}} for name, each in rows.items()}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": {**stages, "four": {"cmd": "y"}}}, sort_keys=False))
    found = dvc.stages(tmp_path)
    assert [stage.address for stage in found.values()] == ["two@b", "two@a", "four"]
    assert found["two@a"].cmd == "x 2"


MARKED = "<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> theirs\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "cannot be read (while parsing"),
        ("\x00", "cannot be read (unacceptable"),
        ("stages: 3", "has no stages: "),
        ("- 1", "has no stages: "),
        ("stages: {one: 1}", "has no stages: "),
    ],
)
@pytest.mark.parametrize("name", ["dvc.yaml", "dvc.lock"])
def test_what_a_merge_or_an_editor_left_is_refused_in_one_line(tmp_path: Path, name: str, text: str, said: str) -> None:
    files = {"dvc.yaml": "stages: {one: {cmd: x}}", "params.yaml": "", "dvc.lock": "stages: {}", name: text}
    for path, content in files.items():
        (tmp_path / path).write_text(content)
    with pytest.raises(Refusal, match=re.escape(f"{name} {said}")) as refused:
        dvc.entries(tmp_path)
    assert "\n" not in str(refused.value)


def test_each_file_in_conflict_has_its_remedy(tmp_path: Path) -> None:
    remedies = {"dvc.lock": "git checkout --ours dvc.lock", "params.yaml": "python -m ops.compose"}
    for name, remedy in {**remedies, "dvc.yaml": "choose"}.items():
        (tmp_path / name).write_text(MARKED)
        with pytest.raises(Refusal, match=f"{name} has a merge conflict: .*{remedy}"):
            dvc.refuse_conflicts(tmp_path)
        (tmp_path / name).write_text("text: |\n  <<<<<<< in a text\n")
    dvc.refuse_conflicts(tmp_path)


def test_the_page_on_merging_a_lock_ends_without_a_conflict(tmp_path: Path) -> None:
    def git(*words: str) -> int:
        identity = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main"]
        return subprocess.run(["git", "-C", str(tmp_path), *identity, *words], capture_output=True).returncode

    git("init")
    for place in ("eval/a", "results", "data"):
        (tmp_path / place).mkdir(parents=True)
    written = [tmp_path / name for name in ("dvc.lock", "eval/a/metrics.json", "results/table.md", "data/splits.json")]
    for branch in ("main", "theirs", "ours"):
        git("switch", "-c", branch, "main")
        for path in written:
            path.write_text(f"stages: {{}} # {branch}\n")
        git("add", "-A")
        assert git("commit", "-m", branch) == 0
    assert git("merge", "theirs") == 1
    with pytest.raises(Refusal, match="git checkout --ours"):
        dvc.refuse_conflicts(tmp_path)
    page = (ROOT / "docs/team.md").read_text().partition("## Merging a lock")[2]
    for line in re.findall(r"^    git (.*)$", page, re.MULTILINE)[:2]:
        assert not any(git(*shlex.split(part.strip().removeprefix("git "))) for part in line.split("&&")), line
    assert not (tmp_path / ".git/MERGE_HEAD").exists()
    assert {path.read_text() for path in written} == {"stages: {} # ours\n"}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.ENAMETOOLONG])
def test_what_the_machine_refuses_is_one_line_and_a_bug_keeps_its_traceback(number: int) -> None:
    @click.command(cls=Stage)
    def main() -> None:
        raise OSError(number, os.strerror(number), "runs/a\n")

    said = CliRunner().invoke(main)
    assert said.exit_code == 1
    assert said.output.startswith(f"Error: runs/a\\n: {os.strerror(number)}: ")
    assert said.output.count("\n") == 1
    number = errno.EBADF
    assert isinstance(CliRunner().invoke(main).exception, OSError)


def test_a_shared_file_of_conf_with_a_conflict_is_named(conf_alone: Path) -> None:
    (conf_alone / "conf/config.yaml").write_text(MARKED)
    with pytest.raises(Refusal, match=r"conf/config\.yaml has a merge conflict: choose a side"):
        composed(conf_alone)
