"""What a stage wrote becomes keys and values; weights stay where they are, and files of another run do not count."""

from __future__ import annotations

import hashlib
import json
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.tracking import written


def file(path: Path, text: str) -> dict[str, str]:
    """Write ``path`` and give what dvc.lock would hold of it."""
    path.write_text(text)
    return {path.name: hashlib.md5(text.encode()).hexdigest()}


def test_json_numbers_are_metrics_and_its_texts_facts(tmp_path: Path) -> None:
    tree = {"semantic": {"mean_iu": 0.5, "iu": {"a": 1, "b": None}, "absent": ["b"]}, "images": 3, "scale": "paper"}
    told = written.read(tmp_path, file(tmp_path / "metrics.json", json.dumps(tree)))
    assert told.metrics == {"semantic/mean_iu": 0.5, "semantic/iu/a": 1.0, "images": 3.0}
    assert told.facts == {"scale": "paper"}


def test_a_flag_is_no_number(tmp_path: Path) -> None:
    assert written.read(tmp_path, file(tmp_path / "a.json", '{"proved": true, "n": 1}')).metrics == {"n": 1.0}


def test_of_a_folder_pictures_tables_and_metrics_are_read_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "out/deeper").mkdir(parents=True)
    for name in ("b.png", "a.png", "table.md", "model.safetensors", "deeper/c.png"):
        (tmp_path / "out" / name).write_bytes(b"")
    (tmp_path / "out/manifest.json").write_text('{"rows": 3}')
    (tmp_path / "out/metrics.json").write_text('{"rows": 4}')
    told = written.read(tmp_path, {"out": "a1.dir"})
    assert [path.name for path in told.artifacts] == ["a.png", "b.png", "table.md"]
    assert told.metrics == {"rows": 4.0}


def test_missing_files_are_named_if_they_were_for_reading(tmp_path: Path) -> None:
    outs = dict.fromkeys(
        ["runs/a/model.safetensors", "runs/a/history.tsv", "data/shards/voc", "eval/a/hist.parquet"], "m"
    )
    assert written.read(tmp_path, outs).missing == ["runs/a/history.tsv", "eval/a/hist.parquet"]


def test_a_file_that_is_not_the_locks_is_missing(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text('{"rows": 4}')
    told = written.read(tmp_path, {"metrics.json": "of another run"})
    assert (told.missing, told.metrics) == (["metrics.json"], {})


def test_a_table_by_iteration_is_curves_another_an_artifact_and_an_evaluations_copy_of_a_curve_neither(
    tmp_path: Path,
) -> None:
    outs = file(tmp_path / "history.tsv", "iteration\tloss\n5\t2.5\n")
    outs |= file(tmp_path / "images.tsv", "head\tposition\tid\tmean_iu\nsemantic\t0\ta\t0.5\n")
    outs |= file(tmp_path / "curve.tsv", "iteration\tother\n5\t2.5\n")
    told = written.read(tmp_path, outs)
    assert told.curves == {"loss": [(5, 2.5)]}
    assert [path.name for path in told.artifacts] == ["images.tsv"]
    assert told.missing == []


@pytest.mark.parametrize("rows", [0, 1, 299, 300, 301, 1500, 100_000])
def test_a_curve_has_at_most_300_points_evenly_spaced_and_the_last(tmp_path: Path, rows: int) -> None:
    path = tmp_path / "history.tsv"
    path.write_text("iteration\tloss\n" + "".join(f"{i}\t{i / 4}\n" for i in range(1, rows + 1)))
    curve = written.read_curves(path)["loss"]
    steps = [step for step, _ in curve]
    assert len(steps) == rows if rows <= 300 else 150 < len(steps) <= 300
    assert steps[-1:] == [rows][: len(steps)]
    assert len({b - a for a, b in pairwise(steps)}) <= 1
    assert all(value == step / 4 for step, value in curve)
