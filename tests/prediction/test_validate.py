"""What a training kept is scored as an evaluation scores it, one row for each net and head."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import torch

from pipeline.core.types import LabelSpec, Refusal
from pipeline.evaluation.evaluate import evaluate
from pipeline.prediction.validate import METRICS, validate
from tests.training.world import Seen, fit, recipe, shards

CPU = torch.device("cpu")


def kept(root: Path, *iterations: int) -> Path:
    """A folder of weights, as a training leaves it: each is the net after so many iterations."""
    folder = root / "milestones"
    folder.mkdir()
    for each in iterations:
        fit(root, str(each), row=recipe(iterations=each, lr=1e-6, heads=["semantic", "geometric"]))
        shutil.copy(root / str(each) / "model.safetensors", folder / f"{each:06d}.safetensors")
    (folder / "index.json").write_text(json.dumps({"iterations": iterations}))
    return folder


def test_the_scores_are_an_evaluations_and_whoever_looks_on_sees_the_mean_iu(tmp_path: Path) -> None:
    shards(tmp_path / "train")
    validate(kept(tmp_path, 1, 30), tmp_path / "train", tmp_path / "milestones.tsv", CPU, seen := Seen())
    with (tmp_path / "milestones.tsv").open() as file:
        rows = [*csv.DictReader(file, delimiter="\t")]
    assert [(row["iteration"], row["head"]) for row in rows] == [
        (step, head) for step in ("1", "30") for head in ("semantic", "geometric")
    ]
    model = tmp_path / "milestones/000030.safetensors"
    evaluate(model=model, shards=tmp_path / "train", out=tmp_path / "eval", device=CPU, scale="test")
    judged = json.loads((tmp_path / "eval/metrics.json").read_text())
    for row in rows[2:]:
        assert {name: float(row[name]) for name in METRICS} == judged[row["head"]]
    shown = {f"validation/{row['head']}/mean_iu": float(row["mean_iu"]) for row in rows[2:]}
    assert seen.points[1] == (30, shown)


def test_a_training_that_kept_none_and_a_split_of_other_classes_are_refused(tmp_path: Path) -> None:
    other = LabelSpec(classes=("sky", "cat", "dog"), palette=((0, 0, 0),) * 3)
    out = tmp_path / "milestones.tsv"
    shards(tmp_path / "other", semantic=other)
    with pytest.raises(Refusal, match="has other classes of semantic than the net"):
        validate(kept(tmp_path, 1), tmp_path / "other", out, CPU)
    (tmp_path / "milestones/index.json").write_text('{"iterations": []}')
    with pytest.raises(Refusal, match=r"has no weights to score: set solver\.milestones of this recipe"):
        validate(tmp_path / "milestones", tmp_path / "train", out, CPU)
    assert not out.exists()
