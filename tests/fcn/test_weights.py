"""A published classifier's file is read by its manifest, whole, or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pipeline.backbones.shared.random_start import random_start
from pipeline.convolutionalize import weights
from pipeline.convolutionalize.weights import Manifest
from pipeline.core import plugins
from pipeline.core.types import Refusal
from pipeline.spec import NetSpec

VGG = plugins.load("backbones", "vgg16")
GOOGLENET = plugins.load("backbones", "googlenet")
SPEC = NetSpec(backbone="vgg16", width=0.02, crop=96, padding=36, mean=(123.0, 117.0, 104.0))
ROW = {
    "file": "net",
    "format": "classifier",
    "order": "RGB",
    "range": 255,
    "mean": [123.0, 117.0, 104.0],
    "std": [1, 1, 1],
    "crop": 96,
    "width": 0.02,
    "source": "rendered",
    "licence": "CC0-1.0",
    "classes": ["cat", "dog", "sheep"],
}


def manifest(folder: Path, **changes: Any) -> Manifest:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**ROW, **changes}))
    return Manifest.read(path)


def classifier_state(classes: int = 3) -> dict[str, torch.Tensor]:
    net = VGG.Classifier(SPEC, classes)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(parameter.numel()))
    state: dict[str, torch.Tensor] = net.state_dict()
    return state


def test_reads_its_own_and_torchvisions(tmp_path: Path) -> None:
    state = classifier_state()
    save_file(state, tmp_path / "net")
    own = weights.read(tmp_path / "net", manifest(tmp_path), VGG, SPEC)
    theirs = {place: state[name] for place, name in VGG.TORCHVISION.items()}
    torch.save(theirs, tmp_path / "net.pth")
    published = weights.read(tmp_path / "net.pth", manifest(tmp_path, format="torchvision"), VGG, SPEC)
    for found in (own, published):
        assert list(found) == list(state)
        assert all(torch.equal(found[name], state[name]) for name in state)
        assert all(tensor.data_ptr() % 64 == 0 for tensor in found.values())


def test_mean_and_std_become_rgb_in_255(tmp_path: Path) -> None:
    caffe = manifest(tmp_path, order="BGR", mean=[104, 117, 123])
    assert caffe.rgb(caffe.mean) == (123, 117, 104) and caffe.rgb(caffe.std) == (1, 1, 1)
    torchvision = manifest(tmp_path, range=1, mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
    assert np.allclose(torchvision.rgb(torchvision.mean), (123.675, 116.28, 103.53))
    assert np.allclose(torchvision.rgb(torchvision.std), (58.395, 57.12, 57.375))


def test_refuses_weights_that_are_not_whole(tmp_path: Path) -> None:
    state = classifier_state()
    one = next(iter(state))
    wrong = {
        f"lacks {one}": {name: state[name] for name in state if name != one},
        "fc9.weight is in no vgg16": {**state, "fc9.weight": torch.ones(1)},
        "has no layer fc8": {name: state[name] for name in state if not name.startswith("fc8")},
        r"conv1_1.weight is 8×1×3×3 where this net has 8×3×3×3": {**state, one: torch.ones(8, 1, 3, 3)},
        "fc6.bias has no values": {**state, "fc6.bias": torch.full_like(state["fc6.bias"], float("nan"))},
    }
    for message, tensors in wrong.items():
        save_file(tensors, tmp_path / "net")
        with pytest.raises(Refusal, match=message):
            weights.read(tmp_path / "net", manifest(tmp_path), VGG, SPEC)


def test_refuses_files_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="no weights at"):
        weights.read(tmp_path / "net", manifest(tmp_path), VGG, SPEC)
    (tmp_path / "net").write_text("<html>404</html>")
    for kind, message in (
        ("classifier", "cannot be read"),
        ("torchvision", "cannot be read"),
        ("caffe", "not a whole"),
    ):
        with pytest.raises(Refusal, match=message):
            weights.read(tmp_path / "net", manifest(tmp_path, format=kind), VGG, SPEC)
    torch.save({"conv1.weight": torch.ones(1)}, tmp_path / "net")
    with pytest.raises(Refusal, match="another than the paper's"):
        weights.read(tmp_path / "net", manifest(tmp_path, format="torchvision"), GOOGLENET, SPEC)


def test_leaves_out_the_auxiliary_classifiers_of_the_published_googlenet(tmp_path: Path) -> None:
    spec = NetSpec(backbone="googlenet", width=0.02, crop=96, padding=3, mean=SPEC.mean)
    net = GOOGLENET.Classifier(spec, 4)
    random_start(net, spec, torch.Generator().manual_seed(0))
    save_file({**net.state_dict(), "loss1.fc.weight": torch.ones(2), "loss2.fc.bias": torch.ones(2)}, tmp_path / "net")
    assert set(weights.read(tmp_path / "net", manifest(tmp_path), GOOGLENET, spec)) == set(net.state_dict())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", "keras"),
        ("order", "GBR"),
        ("range", 2),
        ("mean", [1.0]),
        ("std", [1.0, 0.0, 1.0]),
        ("crop", 100),
        ("width", 0),
    ],
)
def test_refuses_a_manifest_that_cannot_be(tmp_path: Path, field: str, value: object) -> None:
    with pytest.raises(Refusal, match=f"{field} cannot be"):
        manifest(tmp_path, **{field: value})


def test_refuses_a_manifest_that_keeps_silent(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    with pytest.raises(Refusal, match="no weights manifest"):
        Manifest.read(path)
    for text, message in (
        ("{", "not a weights manifest"),
        ("[]", "not a weights manifest"),
        ('{"file": "x"}', "lacks 'format'"),
    ):
        path.write_text(text)
        with pytest.raises(Refusal, match=message):
            Manifest.read(path)
    assert manifest(tmp_path, classes=None).classes == ()
