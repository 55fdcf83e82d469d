"""A saved model is whole: it labels pictures anywhere, over REST too, exactly as evaluation does."""

import base64
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
import torch
import yaml
from PIL import Image

from pipeline.core.types import DatasetSpec
from pipeline.fcn.net import build
from pipeline.prediction.predict import predict
from pipeline.serving import package
from pipeline.serving.segment import Segmenter
from pipeline.shards.reader import Shards
from tests.closure import ROOT
from tests.serving.world import MEAN, labels, photograph, saved, spec
from tests.shards.world import encoded
from tests.split import written
from tests.tracking import servers

TWO_HEADS = {"geometric": labels(3), "semantic": labels(21)}
CPU = torch.device("cpu")


def elsewhere() -> dict[str, str]:
    """An environment in which nothing leads to this repository, and mlflow's command is found."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "ATEN_CPU_CAPABILITY")}
    return {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def test_a_model_folder_holds_all_and_tells_all_and_nothing_is_pickled(tmp_path: Path) -> None:
    weights = saved(tmp_path / "weights.safetensors", spec(heads=TWO_HEADS))
    metrics = tmp_path / "metrics.json"
    metrics.write_text("{}")
    package.save(weights, tmp_path / "model", files={"metrics": metrics})
    model = tmp_path / "model"
    assert {path.name for path in model.iterdir()} >= {"MLmodel", "model.py", "code", "artifacts", "requirements.txt"}
    assert (model / "artifacts/weights.safetensors").read_bytes() == weights.read_bytes()
    assert (model / "artifacts/metrics.json").read_text() == "{}"
    classes = json.loads((model / "artifacts/classes.json").read_text())
    assert classes == {head: label.to_json() for head, label in TWO_HEADS.items()}
    assert not [path for path in model.rglob("*") if path.suffix in (".pkl", ".pickle", ".pt", ".pth", ".pyc")]
    required = (model / "requirements.txt").read_text().split()
    assert all(line.count("==") == 1 and "+" not in line for line in required)
    assert {line.split("==")[0] for line in required} >= {"mlflow", "torch", "pillow", "safetensors", "numpy"}
    told = yaml.safe_load((model / "MLmodel").read_text())["signature"]
    assert json.loads(told["inputs"]) == [{"type": "binary", "name": "color", "required": True}]
    assert [column["name"] for column in json.loads(told["outputs"])] == ["geometric", "semantic"]
    params = {param["name"]: param["default"] for param in json.loads(told["params"])}
    assert params == {"format": "array", "head": "all"}


ELSEWHERE = """
import sys
from pathlib import Path
import mlflow, numpy as np, pandas as pd
here = Path.cwd()
model = mlflow.pyfunc.load_model("two heads")
import pipeline
assert Path(pipeline.__path__[0]) == here / "two heads/code/pipeline", pipeline.__path__
a, b = Path("a.png").read_bytes(), Path("b.jpg").read_bytes()
found = model.predict(pd.DataFrame({"color": [a, b]}))
same = model.predict({"color": [np.load("a.npy"), np.load("b.npy")]})
for head in ("geometric", "semantic"):
    for number in (0, 1):
        np.save(f"{head}{number}.npy", found[head][number])
        assert np.array_equal(same[head][number], found[head][number])
drawn = model.predict({"color": [a]}, params={"format": "png", "head": "semantic"})
assert list(drawn) == ["semantic"]
Path("semantic0.png").write_bytes(drawn["semantic"][0])
for params, cell in (({"head": "x"}, a), ({"format": "x"}, a), ({}, b"x"), ({}, "%"), ({}, np.zeros((3, 3), np.uint8))):
    try:
        model.predict({"color": pd.Series([cell], dtype=object)}, params=params)
    except mlflow.exceptions.MlflowException as error:
        print(str(error).splitlines()[0])
late = mlflow.pyfunc.load_model("late")
print(late.predict(pd.DataFrame({"hha": [b], "color": [b]}))["semantic"][0].shape)
try:
    late.predict(pd.DataFrame({"color": [b]}))
except mlflow.exceptions.MlflowException as error:
    print(str(error).partition(" Error: ")[2])
"""


def test_a_model_labels_in_a_process_that_knows_nothing_of_this_repository(tmp_path: Path) -> None:
    weights = saved(tmp_path / "a.safetensors", spec(heads=TWO_HEADS))
    package.save(weights, tmp_path / "saved")
    (tmp_path / "saved").rename(tmp_path / "two heads")
    late = saved(tmp_path / "b.safetensors", spec(inputs=("color", "hha"), streams="late", mean=MEAN * 2))
    package.save(late, tmp_path / "late")
    pixels = [photograph(75, 100), photograph(57, 143)]
    (tmp_path / "a.png").write_bytes(encoded(pixels[0], "PNG"))
    (tmp_path / "b.jpg").write_bytes(encoded(pixels[1], "JPEG"))
    with Image.open(tmp_path / "b.jpg") as image:
        pixels[1] = np.array(image)
    for name, array in zip("ab", pixels, strict=True):
        np.save(tmp_path / f"{name}.npy", array)
    script = tmp_path / "elsewhere.py"
    script.write_text(ELSEWHERE)
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, env=elsewhere(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    segmenter = Segmenter(build(weights), CPU)
    for number, array in enumerate(pixels):
        for head, label in segmenter({"color": array}, "a").items():
            assert (np.load(tmp_path / f"{head}{number}.npy") == label).mean() > 0.9999  # threads differ
    with Image.open(tmp_path / "semantic0.png") as image:
        assert image.mode == "P" and np.array_equal(np.array(image), np.load(tmp_path / "semantic0.npy"))
    assert done.stdout.splitlines() == [
        "head is 'x': choose all, geometric or semantic",
        "format is 'x': choose array or png",
        "image 0 (color) is no picture of a known format: name another file, or export it as PNG",
        "image 0 (color) is no picture of a known format: name another file, or export it as PNG",
        "image 0: color is uint8 of shape (3, 3): it has to be H×W×3 uint8 RGB",
        "(57, 143)",
        "Model is missing inputs ['hha'].",
    ]


@contextmanager
def served(model: Path, log: Path) -> Iterator[str]:
    """``mlflow models serve`` on a free port, ended with all its processes."""
    port = servers.free_port()
    command = f"mlflow models serve -m {model} -h 127.0.0.1 -p {port} --env-manager local".split()
    with log.open("w") as out:
        server = subprocess.Popen(
            command, cwd=model.parent, env=elsewhere(), stdout=out, stderr=out, start_new_session=True
        )
        try:
            servers.wait(f"http://127.0.0.1:{port}/ping", server, log)
            yield f"http://127.0.0.1:{port}/invocations"
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


def post(url: str, body: dict[str, Any]) -> tuple[int, Any]:
    answer = requests.post(url, json=body, timeout=600)
    return answer.status_code, answer.json()


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.mark.slow
@pytest.mark.usefixtures("flags")
def test_a_server_says_of_every_picture_what_evaluation_says(tmp_path: Path) -> None:
    """Pictures of five sizes from shards, in every form that MLflow's REST takes; then what it must refuse."""
    torch.set_num_threads(1)
    weights = saved(tmp_path / "weights.safetensors", spec(heads=TWO_HEADS))
    sizes = [(375, 500), (257, 243), (60, 300), (91, 283), (122, 66)]
    contents = [encoded(photograph(*size, seed=n), "JPEG" if n % 2 else "PNG") for n, size in enumerate(sizes)]
    rows = [
        {"id": str(n), "height": h, "width": w, "color": {"bytes": contents[n], "path": "x"}}
        for n, (h, w) in enumerate(sizes)
    ]
    split = Shards(written(tmp_path / "val", DatasetSpec(name="x", images=("color",), labels={}), rows))
    net = build(weights)
    evaluated = [found for _, found in predict(net, net.spec, (split[n] for n in range(len(split))), CPU)]
    assert min(len(np.unique(found["semantic"])) for found in evaluated) > 3
    package.save(weights, tmp_path / "model")
    pictures = [text(content) for content in contents]
    forms: list[dict[str, Any]] = [
        {"dataframe_split": {"columns": ["color"], "data": [[picture] for picture in pictures]}},
        {"dataframe_records": [{"color": picture} for picture in pictures]},
        {"inputs": pictures},
        {"inputs": {"color": pictures}},
        {"instances": pictures},
    ]
    with served(tmp_path / "model", tmp_path / "log") as url:
        for body in forms:
            status, answer = post(url, {**body, "params": {"format": "png"}})
            assert status == 200, answer
            for row, found in zip(answer["predictions"], evaluated, strict=True):
                for head, label in found.items():
                    with Image.open(io.BytesIO(base64.b64decode(row[head]))) as image:
                        assert np.array_equal(np.array(image), label)
        (tmp_path / "photo.jpg").write_bytes(contents[1])
        page = (ROOT / "docs/serve.md").read_text()
        shell = page[page.index("    base64 -w0") :].partition("\n\n")[0]
        shell = shell.replace("http://127.0.0.1:5001/invocations", url)
        subprocess.run(["bash", "-ec", f"set -o pipefail\n{shell}"], cwd=tmp_path, check=True)
        with Image.open(tmp_path / "labels.png") as image:
            assert image.mode == "P" and np.array_equal(np.array(image), evaluated[1]["semantic"])
        assert (tmp_path / "labels.png").stat().st_size < 20_000
        status, answer = post(url, {**forms[0], "params": {"head": "semantic"}})
        assert status == 200
        for row, found in zip(answer["predictions"], evaluated, strict=True):
            assert list(row) == ["semantic"]
            assert np.array_equal(np.array(row["semantic"], np.uint8), found["semantic"])
        for body, told in (
            ({"inputs": [text(contents[0][:5000])]}, "image 0 (color) does not decode"),
            ({"inputs": [text(b"")]}, "image 0 (color) is empty"),
            ({"inputs": ["hello"]}, "image 0 (color) is no picture of a known format"),
            ({**forms[0], "params": {"head": "depth"}}, "head is 'depth': choose all, geometric or semantic"),
            ({"dataframe_records": [{"photo": pictures[0]}]}, "missing inputs ['color']"),
        ):
            status, answer = post(url, body)
            assert status == 400 and told in answer["message"]
