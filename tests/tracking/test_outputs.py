"""What a stage wrote becomes keys and values; weights stay where they are, and files of another run do not count."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from pipeline.tracking import record
from pipeline.tracking.outputs import read_outputs, read_splits
from tests.stages.world import manifest


def file(path: Path, text: str) -> dict[str, str]:
    """Write ``path`` and give what dvc.lock would hold of it."""
    path.write_text(text)
    return {path.name: hashlib.md5(text.encode()).hexdigest()}


def test_numbers_of_heads_are_metrics_that_begin_with_what_tells_them_apart_and_texts_are_facts(tmp_path: Path) -> None:
    (tmp_path / "eval/a").mkdir(parents=True)
    scores = {"mean_iu": 0.5, "fw_iu": None, "iu": {"a": 1}, "absent": ["b"], "proved": True}
    trees = {
        "metrics.json": {"semantic": scores, "images": 3, "scale": "paper"},
        "limits.json": {"semantic": {"boundary": {"f": 0.3}}},
        "classes.json": {"semantic": {"cat": 0.1}},
        "pieces.json": {"semantic": {"objects": 3}},
    }
    outs = {}
    for name, tree in trees.items():
        outs[f"eval/a/{name}"] = next(iter(file(tmp_path / "eval/a" / name, json.dumps(tree)).values()))
    found = read_outputs(tmp_path, outs | file(tmp_path / "leaks.json", '{"voc": {"sbd": 1}}'))
    assert found.metrics == {"mean_iu/semantic": 0.5, "objects/semantic": 3.0}
    assert found.facts == {"scale": "paper"}
    assert [path.name for path in found.artifacts] == [*trees, "leaks.json"]


def test_of_a_folder_pictures_tables_and_metrics_are_read_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "out/deeper").mkdir(parents=True)
    for name in ("b.png", "a.png", "table.md", "model.safetensors", "deeper/c.png"):
        (tmp_path / "out" / name).write_bytes(b"")
    for name in ("manifest.json", "metrics.json"):
        (tmp_path / "out" / name).write_text("{}")
    found = read_outputs(tmp_path, {"out": "a1.dir"})
    assert [path.name for path in found.artifacts] == ["a.png", "b.png", "metrics.json", "table.md"]


def test_a_file_that_is_not_here_or_not_the_locks_is_missing_if_it_was_for_reading(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text('{"semantic": {"mean_iu": 0.4}}')
    names = ("model.safetensors", "history.tsv", "data/shards/voc", "hist.parquet", "metrics.json")
    found = read_outputs(tmp_path, dict.fromkeys(names, "m"))
    assert (found.missing, found.metrics) == (["history.tsv", "hist.parquet", "metrics.json"], {})


def test_a_table_by_iteration_is_curves_another_an_artifact_and_a_copy_of_a_curve_neither(tmp_path: Path) -> None:
    outs = file(tmp_path / "history.tsv", "iteration\tloss\n5\t2.5\n")
    outs |= file(tmp_path / "images.tsv", "head\tposition\tid\tmean_iu\nsemantic\t0\ta\t0.5\n")
    outs |= file(tmp_path / "curve.tsv", "iteration\tother\n5\t2.5\n")
    found = read_outputs(tmp_path, outs)
    assert found.curves == {"loss": [(5, 2.5)]}
    assert [path.name for path in found.artifacts] == ["images.tsv"]
    assert found.missing == []


def test_splits_are_of_a_folder_or_of_a_whole_data_set(tmp_path: Path) -> None:
    for split in ("train", "val"):
        manifest(tmp_path, split)
    digest = json.loads((tmp_path / "data/shards/voc/val/_manifest.json").read_text())["digest"]
    read, missing = read_splits(tmp_path, ["data/shards/voc/val"], {"voc": "https://a/b.tar"}, "evaluation")
    assert [(each["name"], each["digest"], each["source"], each["context"]) for each in read] == [
        ("voc/val", digest[:36], '{"url": "https://a/b.tar"}', "evaluation")
    ]
    assert json.loads(read[0]["profile"]) == {"digest": digest, "rows": 2}
    assert missing == []
    read, _ = read_splits(tmp_path, ["data/shards/voc"], {}, "describe")
    assert [each["name"] for each in read] == ["voc/train", "voc/val"]
    assert read_splits(tmp_path, ["runs/a"], {}, "x") == ([], [])
    gone = ["data/shards/nyud/train", "data/shards/sbd"]
    assert read_splits(tmp_path, gone, {}, "training") == ([], ["data/shards/nyud/train/_manifest.json", gone[1]])


def test_params_are_canonical_text() -> None:
    tree = {"recipes.voc-fcn8s.solver.lr": 1e-10, "solver": {"seed": 1, "on": True}, "heads": ["a", "b"], "none": None}
    assert record.dotted(tree) == {
        "recipes.voc-fcn8s.solver.lr": "1e-10",
        "solver.seed": "1",
        "solver.on": "true",
        "heads": '["a", "b"]',
        "none": "null",
    }
    assert len(record.shortened("x" * 7000)) == 6000


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        ("mean_iu/고양이", "mean_iu/고양이"),
        ("mean_iu/cat (wild)", "mean_iu/cat _wild_"),
        ("dvc.dep.../elsewhere", "dvc.dep.../elsewhere"),
        ("a//b/../c", "a/_/b/_/c"),
    ],
)
def test_keys_are_ones_that_mlflow_accepts(name: str, accepted: str) -> None:
    from mlflow.utils.validation import _validate_metric_name

    assert record.key(name) == accepted
    _validate_metric_name(accepted)  # type: ignore[no-untyped-call]
