"""What a stage read and wrote becomes keys and values that MLflow takes, beside the commit that it came from."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.types import LabelSpec, Refusal
from pipeline.evaluation.evaluate import write_hist
from pipeline.metrics.scores import scores
from pipeline.tracking import confusion
from pipeline.tracking.commit import Commit, checked_out, origin, user
from pipeline.tracking.record import read_outputs, read_splits
from tests.stages.world import manifest

COUNTS = np.array([[80, 10, 0], [5, 15, 0], [0, 0, 0]])
CLASSES = ("background", "cat", "dog")


def file(path: Path, text: str) -> dict[str, str]:
    """Write ``path`` and give what dvc.lock would hold of it."""
    path.write_text(text)
    return {path.name: hashlib.md5(text.encode()).hexdigest()}


def test_numbers_of_heads_are_metrics_that_begin_with_what_tells_them_apart(tmp_path: Path) -> None:
    (tmp_path / "eval/a").mkdir(parents=True)
    numbers = {"mean_iu": 0.123456789, "fw_iu": None, "iu": {"a": 1}, "absent": ["b"], "proved": True}
    trees = {
        "metrics.json": {"semantic": numbers, "images": 3, "scale": "paper"},
        "limits.json": {"semantic": {"boundary": {"f": 0.3}}},
        "classes.json": {"semantic": {"cat": 0.1}},
        "pieces.json": {"semantic": {"objects": 1234567}},
    }
    outs = {}
    for name, tree in trees.items():
        outs[f"eval/a/{name}"] = next(iter(file(tmp_path / "eval/a" / name, json.dumps(tree)).values()))
    found = read_outputs(tmp_path, outs | file(tmp_path / "leaks.json", '{"voc": {"sbd": 1}}'))
    assert found.metrics == {"mean_iu/semantic": 0.12346, "objects/semantic": 1234567.0}
    assert [path.name for path in found.artifacts] == [*trees, "leaks.json"]


def test_what_is_for_reading_is_read_and_what_is_not_here_or_not_the_locks_is_missing(tmp_path: Path) -> None:
    (tmp_path / "out/deeper").mkdir(parents=True)
    for name in ("b.png", "a.png", "table.md", "model.safetensors", "deeper/c.png"):
        (tmp_path / "out" / name).write_bytes(b"")
    for name in ("out/_manifest.json", "out/metrics.json", "metrics.json"):
        (tmp_path / name).write_text("{}")
    found = read_outputs(tmp_path, {"out": "a1.dir"})
    assert [path.name for path in found.artifacts] == ["a.png", "b.png", "metrics.json", "table.md"]
    names = ("model.safetensors", "history.tsv", "data/shards/voc", "hist.parquet", "metrics.json")
    found = read_outputs(tmp_path, dict.fromkeys(names, "m"))
    assert (found.missing, found.metrics) == (["history.tsv", "hist.parquet", "metrics.json"], {})


def test_a_table_by_iteration_is_curves_another_an_artifact_and_a_copy_of_a_curve_neither(tmp_path: Path) -> None:
    outs = file(tmp_path / "history.tsv", "iteration\tloss\n5\t2.5\n")
    outs |= file(tmp_path / "images.tsv", "head\tposition\tid\tmean_iu\nsemantic\t0\ta\t0.5\n")
    outs |= file(tmp_path / "curve.tsv", "iteration\tother\n5\t2.5\n")
    outs |= file(tmp_path / "milestones.tsv", "iteration\thead\tmean_iu\n4\tsemantic\t0.5\n4\tgeometric\t0.25\n")
    found = read_outputs(tmp_path, outs)
    validated = {f"validation/{head}/mean_iu": [(4, score)] for head, score in (("semantic", 0.5), ("geometric", 0.25))}
    assert (found.curves, found.missing) == ({"loss": [(5, 2.5)]} | validated, [])
    assert [path.name for path in found.artifacts] == ["images.tsv"]


def test_splits_are_of_a_folder_or_of_a_whole_data_set(tmp_path: Path) -> None:
    for split in ("train", "val"):
        manifest(tmp_path, split)
    digest = json.loads((tmp_path / "data/shards/voc/val/_manifest.json").read_text())["digest"]
    (read,), missing = read_splits(tmp_path, ["data/shards/voc/val"], {"voc": "https://a/b.tar"}, "evaluation")
    assert (read["name"], read["digest"], read["context"], missing) == ("voc/val", digest[:36], "evaluation", [])
    assert (read["source"], json.loads(read["profile"])) == (
        '{"url": "https://a/b.tar"}',
        {"digest": digest, "rows": 2},
    )
    assert [each["name"] for each in read_splits(tmp_path, ["data/shards/voc"], {}, "")[0]] == ["voc/train", "voc/val"]
    gone = ["runs/a", "data/shards/nyud/train", "data/shards/sbd"]
    assert read_splits(tmp_path, gone, {}, "training") == ([], ["data/shards/nyud/train/_manifest.json", gone[2]])


def test_counts_are_read_as_evaluate_wrote_them_and_give_its_scores(tmp_path: Path) -> None:
    label = LabelSpec(classes=CLASSES, palette=((0, 0, 0),) * 3)
    write_hist(tmp_path / "hist.parquet", {"a": COUNTS, "b": COUNTS.T}, {"a": label, "b": label})
    read = confusion.read(tmp_path / "hist.parquet")
    assert [*read] == ["a", "b"]
    assert (read["a"][1] == COUNTS).all() and (read["b"][1] == COUNTS.T).all()
    table = confusion.table(*read["a"])
    assert dict(zip(table["class"], table["iu"], strict=True)) == scores(COUNTS, CLASSES)["iu"]
    assert (table["true pixels"], table["predicted pixels"]) == ([90, 20, 0], [85, 25, 0])


def git(root: Path, *args: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", "-C", str(root), *identity, *args], check=True, capture_output=True)


def test_what_the_pipeline_wrote_is_no_dirt_but_an_edit_and_a_new_file_are(tmp_path: Path) -> None:
    for name in ("code.py", "dvc.lock"):
        (tmp_path / name).write_text(f"{name}\n")
    for args in (("init",), ("add", "."), ("commit", "--message", "a")):
        git(tmp_path, *args)
    commit = checked_out(tmp_path, [])
    assert (len(commit.sha), commit.dirty, commit.changes) == (40, "false", "")
    (tmp_path / "dvc.lock").write_text("other")
    (tmp_path / "results").mkdir()
    (tmp_path / "results/table.md").write_text("new")
    assert checked_out(tmp_path, ["dvc.lock", "results"]).dirty == "false"
    (tmp_path / "code.py").write_text("edited\n")
    (tmp_path / "new.py").write_text("")
    commit = checked_out(tmp_path, ["dvc.lock"])
    assert commit.dirty == "true"
    assert "?? new.py" in commit.changes and "+edited" in commit.changes


def test_all_is_unknown_without_git_a_repository_or_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert checked_out(tmp_path, []) == Commit(sha="unknown", dirty="unknown", changes="")
    git(tmp_path, "init")
    assert checked_out(tmp_path, []) == Commit()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert checked_out(tmp_path, []) == Commit()
    monkeypatch.setenv("USER", "bob")
    assert origin(Commit(), "python -m stages.train x")["mlflow.user"] == "bob"


def test_a_user_is_named_by_hand_by_ci_or_by_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert user(tmp_path, {"FCN_USER": "ada", "GITHUB_ACTOR": "bot"}) == "ada"
    assert user(tmp_path, {"GITHUB_ACTOR": "bot"}) == "bot"
    for name in ("GLOBAL", "SYSTEM"):
        monkeypatch.setenv(f"GIT_CONFIG_{name}", os.devnull)
    with pytest.raises(Refusal, match="nobody answers for this: set FCN_USER"):
        user(tmp_path, {})
    git(tmp_path, "init")
    git(tmp_path, "config", "user.name", "Ada L.")
    assert user(tmp_path, {}) == "Ada L."
