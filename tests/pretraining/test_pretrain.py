"""Pretraining teaches a classifier its classes, and writes what the next stage needs, byte for byte alike."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pipeline.caffe import caffemodel
from pipeline.convolutionalize.convolutionalize import convolutionalize
from pipeline.core import files
from pipeline.core.types import Refusal
from pipeline.pretraining import imagenet
from pipeline.pretraining.imagenet import TRAIN, class_names, decode
from pipeline.pretraining.pretrain import parse, pretrain, rate
from tests.shards.world import encoded, tar, tarred

ROOT = Path(__file__).parents[2]
COLORS = {"red": (220, 40, 40), "green": (40, 200, 60), "blue": (40, 60, 230)}
ROW = {"seed": 1, "width": 1 / 64, "crop": 32, "batch": 8, "iterations": 150, "lr": 0.002}
SCRIPT = """
import sys
from pathlib import Path
from pipeline import determinism
from pipeline.pretraining.pretrain import parse, pretrain
raw, out, row = Path(sys.argv[1]), Path(sys.argv[2]), eval(sys.argv[3])
device = determinism.start({"torch": __import__("torch").__version__.split("+")[0], "threads": 1})
pretrain("vgg16", parse("vgg16", row), raw, out, device)
"""


def raw(folder: Path) -> Path:
    """Noise of three colours, one a class; sixteen pictures each to learn from, four to test on."""
    folder.mkdir()
    (folder / "classes.txt").write_text("".join(f"n0{n}\t{name}\n" for n, name in enumerate(COLORS)))
    for archive, count in ((imagenet.TRAIN, 16), (imagenet.VAL, 4)):
        rng = np.random.default_rng(count)
        (folder / archive).write_bytes(
            tar({f"n0{n}.tar": tar(pictures(rng, color, count)) for n, color in enumerate(COLORS.values())})
        )
    return folder


def pictures(rng: np.random.Generator, color: tuple[int, int, int], count: int) -> Mapping[str, bytes]:
    noisy = (np.clip(rng.normal(color, 30, (37, 37, 3)), 0, 255).astype(np.uint8) for _ in range(count))
    return {f"{number}.JPEG": encoded(pixels, "JPEG") for number, pixels in enumerate(noisy)}


def test_learns_and_writes_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    archives = raw(tmp_path / "raw")
    folders = [tmp_path / "here", tmp_path / "some/where else"]
    for out in folders:
        command = [sys.executable, "-W", "error", "-c", SCRIPT, str(archives), str(out), repr(ROW)]
        assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stderr == ""
    digests = [{path.name: files.sha256(path) for path in out.iterdir()} for out in folders]
    assert digests[0] == digests[1]
    manifest: dict[str, Any] = json.loads((folders[0] / "manifest.json").read_text())
    assert manifest.pop("top1") > 0.9
    assert manifest == {
        "classes": ["red", "green", "blue"],
        "crop": 32,
        "file": "classifier.safetensors",
        "format": "classifier",
        "licence": "Apache-2.0",
        "mean": [122.67892, 116.66877, 104.00699],
        "order": "RGB",
        "range": 255,
        "source": "pretrain",
        "std": [1.0, 1.0, 1.0],
        "width": 1 / 64,
    }
    tensors = load_file(folders[0] / "classifier.safetensors")
    assert tensors["fc8.weight"].shape == (3, 64)
    assert tensors["conv1_1.weight"].shape == (8, 3, 3, 3)


@pytest.mark.parametrize("key", ["vgg16", "alexnet", "googlenet"])
def test_without_iterations_the_weights_are_random_in_a_caffemodel_that_convolutionalizes(
    key: str, tmp_path: Path
) -> None:
    """At full width the files have the sizes of the model zoo's to 1 %; here they are thin."""
    spec = parse(key, {**ROW, "width": 1 / 64, "crop": 64, "iterations": 0})
    pretrain(key, spec, tmp_path / "none", tmp_path / "weights", torch.device("cpu"))
    convolutionalize(tmp_path / "weights", key, 20, tmp_path)
    facts = json.loads((tmp_path / f"{key}-fcn.json").read_text())
    assert facts["spec"]["heads"] == {"imagenet": 1000}
    layers = caffemodel.read(tmp_path / "weights/random.caffemodel")
    assert ("loss1.fc" in layers) == (key == "googlenet")
    assert all(blob.ndim == 4 for blobs in layers.values() for blob in blobs)  # the layout of 2014


def test_refuses_a_rate_too_high(tmp_path: Path) -> None:
    spec = parse("vgg16", {**ROW, "lr": 1e35})
    with pytest.raises(Refusal, match=r"loss is (nan|inf) at iteration \d+: lower pretrain's lr \(1e\+35\)"):
        pretrain("vgg16", spec, raw(tmp_path / "raw"), tmp_path / "out", torch.device("cpu"))
    assert not (tmp_path / "out").exists()


def test_refuses_a_crop_that_a_net_cannot_halve() -> None:
    with pytest.raises(Refusal, match=r"pretrain\.vgg16\.crop is 100: make it a multiple of 32"):
        parse("vgg16", {**ROW, "crop": 100})


def test_the_rate_warms_up_and_falls_to_nothing() -> None:
    rates = [rate(0.5, iteration, 100) for iteration in range(100)]
    assert rates[0] == pytest.approx(0.05)
    assert max(rates) == rates[9] == rates[10] == 0.5
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.001
    assert rate(0.5, 0, 1) == 0.5


def archive(folder: Path, wnids: Sequence[str]) -> Path:
    """Two pictures a class: a red one wider than high, and a grey one in one channel."""
    classes = {}
    for number, wnid in enumerate(wnids):
        red = np.full((20, 40, 3), (250, 10 * number, 0), np.uint8)
        grey = np.full((30, 20), 90, np.uint8)
        members = {f"{wnid}_9.JPEG": encoded(grey, "JPEG"), f"{wnid}_10.JPEG": encoded(red, "JPEG", quality=95)}
        classes[f"{wnid}.tar"] = tar(members)
    return tarred(folder / TRAIN, classes)


def test_decodes_by_class_then_name_whatever_the_tars_order(tmp_path: Path) -> None:
    wnids = ["n03", "n01", "n02"]
    forth = decode(archive(tmp_path, wnids), wnids, 28)
    back = decode(archive(tmp_path, wnids[::-1]), wnids[::-1], 28)
    assert forth.pixels.shape == (6, 28, 28, 3)
    assert forth.pixels.dtype == np.uint8
    assert list(forth.classes) == [0, 0, 1, 1, 2, 2]
    assert [int(pixel[0] > 200) for pixel in forth.pixels[:, 14, 14]] == [1, 0] * 3  # …_10 sorts before …_9
    assert not np.array_equal(forth.pixels[0], back.pixels[4])  # classes follow the list, not the tar


@pytest.mark.parametrize("text", [None, "n01 cat\n"])
def test_refuses_classes_it_cannot_read(tmp_path: Path, text: str | None) -> None:
    if text:
        (tmp_path / "classes.txt").write_text(text)
    with pytest.raises(Refusal, match=r"classes\.txt does not list the classes as wnid, tab, name"):
        class_names(tmp_path)
    (tmp_path / "classes.txt").write_text("n02\tcat\nn01\tpotted plant\n")
    assert list(class_names(tmp_path).items()) == [("n02", "cat"), ("n01", "potted plant")]


def test_refuses_an_archive_that_is_missing_or_lacks_a_class(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="is missing: run the imagenet stage"):
        decode(tmp_path / TRAIN, ["n01"], 28)
    with pytest.raises(Refusal, match=r"has no n09\.tar, which classes\.txt lists"):
        decode(archive(tmp_path, ["n01"]), ["n01", "n09"], 28)
