"""``fcn predict`` labels what it can, tells what it cannot, and never writes over or guesses; ``fcn export``."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
import yaml
from PIL import Image

from pipeline.fcn.net import build
from pipeline.serving import package, picture
from pipeline.serving.segment import Segmenter
from pipeline.spec import NetSpec
from tests.closure import ROOT
from tests.launch import fcn
from tests.serving.world import MEAN, labels, photograph, saved, spec

pytestmark = pytest.mark.usefixtures("flags")

HEADS = {"geometric": labels(3), "semantic": labels(21)}
RECIPES = {
    "voc-fcn32s": (spec(stride=32), 0.2),
    "voc-fcn8s": (spec(stride=8), 0.4),
    "siftflow-fcn8s": (spec(stride=8, heads=HEADS), 0.3),
}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three trained recipes and a fourth without weights, the working directory; dvc.yaml is the pipeline's own."""
    (tmp_path / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["recipes"] = {name: params["recipes"][name] for name in (*RECIPES, "voc-fcn4s")}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    for name, (net_spec, score) in RECIPES.items():
        trained(tmp_path, name, net_spec)
        (tmp_path / "eval" / name).mkdir(parents=True)
        metrics = {head: {"mean_iu": score} for head in net_spec.heads}
        (tmp_path / "eval" / name / "metrics.json").write_text(json.dumps(metrics))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def trained(root: Path, name: str, net_spec: NetSpec) -> Path:
    (root / "runs" / name).mkdir(parents=True)
    return saved(root / "runs" / name / "model.safetensors", net_spec)


predict = partial(fcn, "predict")


def wrote(path: Path, height: int, width: int, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(photograph(height, width, seed)).save(path)
    return path


def written(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("tile", [0, 256])
@pytest.mark.parametrize("form", ["npz", "png"])
def test_scores_are_probabilities_whose_largest_is_the_label(world: Path, form: str, tile: int) -> None:
    wrote(world / "photos/a.png", 40, 600)
    wrote(world / "photos/deep/b.png", 20, 50)
    done = predict("photos", "--recipe", "siftflow-fcn8s", "--out", "out", "--scores", form, "--tile", str(tile))
    assert "semantic/, semantic-overlay/ and semantic-scores/" in done.stdout
    for name, size in {"a": (40, 600), "deep/b": (20, 50)}.items():
        for head, label in HEADS.items():
            place = world / f"out/{head}-scores/{name}"
            if form == "npz":
                with np.load(f"{place}.npz") as file:
                    parts = file["probabilities"].astype(np.float32)
                    assert file["classes"].tolist() == list(label.classes)
            else:
                channels = [Image.open(f"{place}-{index:03d}.png") for index in range(len(label.classes))]
                assert {channel.mode for channel in channels} == {"I;16"}
                parts = np.dstack([np.asarray(channel) for channel in channels]) / np.float32(65535)
            assert parts.shape == (*size, len(label.classes))
            np.testing.assert_allclose(parts.sum(2), 1, atol=0.01)
            with Image.open(world / f"out/{head}/{name}.png") as opened:
                shown = np.take_along_axis(parts, np.asarray(opened)[..., None].astype(int), 2)[..., 0]
            np.testing.assert_array_equal(shown, parts.max(2))


def test_all_pictures_of_a_folder_are_labelled_in_one_go_and_the_broken_ones_told_at_the_end(world: Path) -> None:
    for number in range(20):
        wrote(world / f"photos/{number // 10}/{number:03d}.{'jpg' if number % 2 else 'PNG'}", 33 + number, 60, number)
    (world / "photos/1/cut.jpg").write_bytes((world / "photos/1/019.jpg").read_bytes()[:700])
    (world / "photos/empty.png").touch()
    (world / "photos/notes.txt").write_text("no picture, not looked at")
    (world / "photos/.thumbnail.png").write_text("hidden, not looked at")
    done = predict("photos", "--recipe", "voc-fcn8s", "--out", "out")
    assert done.exit_code == 1
    assert done.stdout == "labelled 20 of 22 images into out: semantic/ and semantic-overlay/\n"
    again = predict("photos/0", "--recipe", "voc-fcn8s", "--out", "photos/0/out")
    assert again.stdout == predict("photos/0", "--recipe", "voc-fcn8s", "--out", "photos/0/out").stdout, "not its own"
    assert "passed over 2 files that are hidden or not named as pictures: photos/.thumbnail.png, photos/" in done.stderr
    cut, empty = sorted(line for line in done.stderr.splitlines() if line.startswith("Error"))
    assert cut.startswith("Error: photos/1/cut.jpg does not decode (")
    assert empty == "Error: photos/empty.png is empty: fetch or export it again"
    names = {f"{number // 10}/{number:03d}" for number in range(20)}
    assert written(world / "out/semantic") == {f"{name}.png" for name in names}
    assert written(world / "out/semantic-overlay") == {f"{name}.jpg" for name in names}
    segmenter = Segmenter(build(world / "runs/voc-fcn8s/model.safetensors"), torch.device("cpu"))
    for name in ("0/007.jpg", "1/014.PNG"):
        pixels = picture.read(world / "photos" / name, name)
        with Image.open(world / "out/semantic" / f"{name[:5]}.png") as label:
            assert label.mode == "P" and label.getpalette()[:6] == [0, 0, 0, 37, 91, 151]  # type: ignore[index]
            assert np.array_equal(np.array(label), segmenter({"color": pixels}, name)["semantic"])
        with Image.open(world / "out/semantic-overlay" / f"{name[:5]}.jpg") as overlay:
            assert overlay.width > pixels.shape[1]


def test_every_head_has_its_folders_and_its_classes(world: Path) -> None:
    wrote(world / "a.png", 40, 50)
    done = predict("a.png", "--recipe", "siftflow-fcn8s", "--out", "out", "--tile", "96")
    assert done.stdout.splitlines()[0] == "tiles of 96 px: near seams labels are approximate; exact from 416 px on"
    assert written(world / "out") == {
        *(f"{head}{rest}" for head in HEADS for rest in ("/a.png", "-overlay/a.jpg", "-classes.csv")),
    }
    rows = (world / "out/geometric-classes.csv").read_text().splitlines()
    assert rows == ["index,class,red,green,blue", "0,class 0,0,0,0", "1,class 1,37,91,151", "2,class 2,74,182,46"]


def test_without_a_net_the_best_of_each_data_set_is_offered(world: Path) -> None:
    wrote(world / "a.png", 40, 40)
    told = (
        "Error: say which net, with one of --recipe voc-fcn8s (best on voc/seg11valid: mean IU 0.400), "
        "--recipe siftflow-fcn8s (best on siftflow/test: mean IU 0.300), --model FILE or --registry NAME@ALIAS\n"
    )
    assert predict("a.png", "--out", "out").stderr == told
    assert predict("a.png", "--out", "out", "--recipe", "voc-fcn8s", "--model", "x").stderr == told


def test_what_is_not_there_is_refused_with_a_remedy(world: Path) -> None:
    for name in ("a.png", "a/x.png", "b/x.jpg"):
        wrote(world / name, 40, 40)
    (world / "empty").mkdir()
    saved(world / "late.safetensors", spec(inputs=("color", "hha"), streams="late", mean=MEAN * 2))
    for arguments, told in (
        (("a", "b", "--recipe", "voc-fcn8s"), "a/x.png and b/x.jpg would both become x.png: label them into two"),
        (("b.png", "--recipe", "voc-fcn8s"), "b.png is not there: name pictures, or folders of them"),
        (("empty", "--recipe", "voc-fcn8s"), "no pictures in empty: their names end in .jpg, .png, .tif or the like"),
        (("a.png", "--recipe", "voc-fcn9s"), "no row 'voc-fcn9s' in params.yaml under recipes: did you mean 'voc-fcn"),
        (("a.png", "--recipe", "voc-fcn4s"), "no weights at"),
        (("a.png", "--model", "b.safetensors"), "no weights at b.safetensors"),
        (("a.png", "--model", "late.safetensors"), "this net sees color and hha, not photographs alone: serve it as"),
        (("a.png", "--recipe", "voc-fcn8s", "--tile", "100"), "tiles of 100 px: choose a multiple of 32, 64 or more"),
    ):
        done = predict(*arguments, "--out", "out")
        assert done.exit_code == 1 and done.stderr.startswith(f"Error: {told}"), done.stderr
        assert not (world / "out").exists()
    assert predict("a", "a/x.png", "--recipe", "voc-fcn8s", "--out", "out").exit_code == 0, "the same file twice"


def test_a_recipe_needs_no_mlflow(world: Path) -> None:
    wrote(world / "a.png", 40, 40)
    script = "import sys; from ops.fcn import main; main(sys.argv[1:], standalone_mode=False)"
    script += "; assert not {'mlflow', 'dvc', 'pandas'} & set(sys.modules)"
    command = [sys.executable, "-W", "error", "-c", script, "predict", "a.png", "--recipe", "voc-fcn8s", "--out", "out"]
    subprocess.run(command, cwd=world, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
    assert (world / "out/semantic/a.png").is_file()


def test_a_registered_model_labels_as_its_weights_do(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.tracking.connect import connect

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    wrote(world / "a.png", 40, 50)
    for name in ("voc-fcn32s", "voc-fcn8s"):
        package.save(world / f"runs/{name}/model.safetensors", world / "models" / name)
    client, experiment = connect(world)
    client.create_registered_model("fcn-voc")
    run = client.create_run(experiment).info
    for name in ("voc-fcn32s", "voc-fcn8s"):
        client.log_artifacts(run.run_id, str(world / "models" / name), name)
        client.create_model_version("fcn-voc", f"{run.artifact_uri}/{name}", run.run_id)
    client.set_registered_model_alias("fcn-voc", "champion", "2")
    assert predict("a.png", "--recipe", "voc-fcn8s", "--out", "want").exit_code == 0
    for name, out in (("fcn-voc", "b"), ("fcn-voc@champion", "c"), ("fcn-voc/1", "d")):
        done = predict("a.png", "--registry", name, "--out", out)
        assert done.exit_code == 0, done.output
    want = (world / "want/semantic/a.png").read_bytes()
    assert [(world / out / "semantic/a.png").read_bytes() == want for out in "bcd"] == [True, True, False]
    done = predict("a.png", "--registry", "fcn-voc@nobody", "--out", "e")
    assert done.exit_code == 1 and done.stderr.splitlines()[-1].startswith(
        "Error: models:/fcn-voc@nobody is not to be had ("
    )


def test_a_net_is_exported_as_onnx(world: Path) -> None:
    done = fcn("export", "--model", "runs/voc-fcn32s/model.safetensors", "--out", "nets/net.onnx", code=0)
    assert done.stdout.splitlines()[-1] == "wrote nets/net.onnx"
    session = onnxruntime.InferenceSession(str(world / "nets/net.onnx"), providers=["CPUExecutionProvider"])
    assert [of.name for of in session.get_outputs()] == ["semantic", "semantic_scores"]
    assert "Error: say which net, with one of --recipe" in fcn("export", "--out", "net.onnx").stderr
