"""The stage makes a run of a released caffemodel, which is then scored as any other, or says in one line why not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from click.testing import CliRunner

from pipeline.core import plugins
from pipeline.evaluation.evaluate import evaluate
from pipeline.released import released
from stages import import_weights as stage
from tests.evaluation.test_evaluate import split
from tests.fcn.test_released import caffe_blobs, drawn, thin, written

DVC = {
    "foreach": "${imports}",
    "do": {
        "cmd": "python -m stages.import_weights ${key}",
        "deps": ["${item.file}"],
        "params": ["imports.${key}.file", "imports.${key}.net"],
    },
}


def test_a_released_net_is_imported_and_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    label = plugins.load("datasets", "voc").SPEC.labels["semantic"]
    spec = replace(thin("voc-fcn8s"), heads={"semantic": label})
    monkeypatch.setattr(released, "spec", lambda net: spec)  # the published width fills half a gigabyte
    row = {"file": "data/weights/voc-fcn8s/fcn8s-heavy-pascal.caffemodel", "net": "voc-fcn8s"}
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": {"import-weights": DVC}}))
    Path("params.yaml").write_text(yaml.safe_dump({"imports": {"voc-fcn8s-released": row}}))

    absent = CliRunner().invoke(stage.main, ["voc-fcn8s-released"])
    assert absent.exit_code == 1
    assert absent.stderr.startswith("Error: imports.voc-fcn8s-released.file is data/weights/voc-fcn8s/fcn8s-heavy-")
    unknown = CliRunner().invoke(stage.main, ["voc-fcn8s"])
    assert unknown.stderr == ("Error: no row 'voc-fcn8s' in params.yaml under imports: it has voc-fcn8s-released\n")

    Path("data/weights/voc-fcn8s").mkdir(parents=True)
    written(Path(row["file"]), caffe_blobs("voc-fcn8s", spec, drawn(spec).state_dict()), "V2")
    done = CliRunner().invoke(stage.main, ["voc-fcn8s-released"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    run = Path("runs/voc-fcn8s-released")
    assert sorted(path.name for path in run.iterdir()) == ["import.json", "model.safetensors"]
    assert {blob["fate"] for blob in json.loads((run / "import.json").read_text())["blobs"]} == {
        "BGR to RGB", "copied", "bilinear"
    }  # fmt: skip

    evaluate(
        model=run / "model.safetensors",
        shards=split(Path("val"), ["a", "b"], label),
        train=split(Path("train"), ["c"], label),
        out=Path("eval"),
        device=torch.device("cpu"),
        scale="paper",
    )
    metrics = json.loads(Path("eval/metrics.json").read_text())
    assert metrics["images"] == 2 and 0 <= metrics["semantic"]["mean_iu"] < 1
