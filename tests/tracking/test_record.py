"""What a stage wrote becomes keys and values that MLflow accepts; weights stay where they are."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.tracking import record


def test_json_numbers_are_metrics_and_its_texts_facts(tmp_path: Path) -> None:
    tree = {"semantic": {"mean_iu": 0.5, "iu": {"a": 1, "b": None}, "absent": ["b"]}, "images": 3, "scale": "paper"}
    (tmp_path / "metrics.json").write_text(json.dumps(tree))
    told = record.read(tmp_path, ["metrics.json"])
    assert told.metrics == {"semantic/mean_iu": 0.5, "semantic/iu/a": 1.0, "images": 3.0}
    assert told.facts == {"scale": "paper"}


def test_a_flag_is_no_number(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"proved": true, "n": 1}')
    assert record.read(tmp_path, ["a.json"]).metrics == {"n": 1.0}


def test_of_a_folder_pictures_tables_and_metrics_are_read_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "out/deeper").mkdir(parents=True)
    for name in ("b.png", "a.png", "table.md", "model.safetensors", "deeper/c.png"):
        (tmp_path / "out" / name).write_bytes(b"")
    (tmp_path / "out/manifest.json").write_text('{"rows": 3}')
    (tmp_path / "out/metrics.json").write_text('{"rows": 4}')
    told = record.read(tmp_path, ["out"])
    assert [path.name for path in told.artifacts] == ["a.png", "b.png", "table.md"]
    assert told.metrics == {"rows": 4.0}


def test_missing_files_are_named_if_they_were_for_reading(tmp_path: Path) -> None:
    told = record.read(tmp_path, ["runs/a/model.safetensors", "runs/a/history.tsv", "data/shards/voc"])
    assert told.missing == ["runs/a/history.tsv"]


@pytest.mark.parametrize("rows", [0, 1, 299, 300, 301, 1500, 100_000])
def test_a_curve_has_at_most_300_points_evenly_spaced_and_the_last(tmp_path: Path, rows: int) -> None:
    path = tmp_path / "history.tsv"
    path.write_text("iteration\tloss\n" + "".join(f"{i}\t{i / 4}\n" for i in range(1, rows + 1)))
    curve = record.read_curves(path)["loss"]
    steps = [step for step, _ in curve]
    assert len(steps) == rows if rows <= 300 else 150 < len(steps) <= 300
    assert steps[-1:] == [rows][: len(steps)]
    assert len({b - a for a, b in pairwise(steps)}) <= 1
    assert all(value == step / 4 for step, value in curve)


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
        ("semantic/iu/night stand", "semantic/iu/night stand"),
        ("semantic/iu/고양이", "semantic/iu/고양이"),
        ("semantic/iu/cat (wild)", "semantic/iu/cat _wild_"),
        ("dvc.dep.../elsewhere", "dvc.dep.../elsewhere"),
        ("a//b/../c", "a/_/b/_/c"),
    ],
)
def test_keys_are_ones_that_mlflow_accepts(name: str, accepted: str) -> None:
    from mlflow.utils.validation import _validate_metric_name

    assert record.key(name) == accepted
    _validate_metric_name(accepted)  # type: ignore[no-untyped-call]
