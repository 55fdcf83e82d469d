"""A published classifier's file is read by its manifest, whole, or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pipeline.convolutionalize import weights
from pipeline.convolutionalize.weights import Manifest
from pipeline.core import plugins
from pipeline.core.types import Refusal
from pipeline.spec import NetSpec

VGG = plugins.load("backbones", "vgg16")
GOOGLENET = plugins.load("backbones", "googlenet")
SPEC = NetSpec(backbone="vgg16", width=0.02, crop=96, padding=36, mean=(123.0, 117.0, 104.0))
ROW = {"file": "net", "format": "classifier", "order": "RGB", "range": 255, "crop": 96, "width": 0.02}
ROW |= {"mean": [123.0, 117.0, 104.0], "std": [1, 1, 1], "source": "rendered", "classes": ["cat", "dog", "sheep"]}


def manifest(folder: Path, **changes: Any) -> Manifest:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**ROW, **changes}))
    return Manifest.read(path)


def classifier_state(backbone: Any = VGG, spec: NetSpec = SPEC) -> dict[str, torch.Tensor]:
    net = backbone.Classifier(spec, 3)
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


def test_refuses_weights_that_are_not_complete(tmp_path: Path) -> None:
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
    for kind, message in {"classifier": "cannot be read", "torchvision": "cannot be read", "caffe": "not a wh"}.items():
        with pytest.raises(Refusal, match=message):
            weights.read(tmp_path / "net", manifest(tmp_path, format=kind), VGG, SPEC)
    torch.save({"conv1.weight": torch.ones(1)}, tmp_path / "net")
    with pytest.raises(Refusal, match="another than the paper's"):
        weights.read(tmp_path / "net", manifest(tmp_path, format="torchvision"), GOOGLENET, SPEC)


def test_leaves_out_the_auxiliary_classifiers_of_the_published_googlenet(tmp_path: Path) -> None:
    spec = NetSpec(backbone="googlenet", width=0.02, crop=96, padding=3, mean=SPEC.mean)
    state = classifier_state(GOOGLENET, spec)
    save_file({**state, "loss1.fc.weight": torch.ones(2), "loss2.fc.bias": torch.ones(2)}, tmp_path / "net")
    assert set(weights.read(tmp_path / "net", manifest(tmp_path), GOOGLENET, spec)) == set(state)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": "keras"}, r"manifest\.json\.format is 'keras': choose torchvision or caffe or classifier"),
        ({"order": "GBR"}, r"\.order is 'GBR': did you mean 'RGB'\? choose RGB or BGR"),
        ({"range": 2}, r"\.range is 2: choose 1 or 255"),
        ({"mean": [1.0]}, "mean and std are"),
        ({"std": [1.0, 0.0, 1.0]}, "mean and std are .* write three, std above 0"),
        ({"crop": 100}, r"\.crop is 100: it must be a multiple of 32"),
        ({"width": 0}, r"\.width is 0.0: it must be greater than 0"),
        ({"format": None}, "lacks format"),
    ],
)
def test_refuses_a_manifest_that_cannot_be(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(Refusal, match=reason):
        manifest(tmp_path, **changes)


def test_refuses_what_is_no_manifest_but_needs_no_classes(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    with pytest.raises(Refusal, match="no weights manifest"):
        Manifest.read(path)
    for text in ("{", "[]"):
        path.write_text(text)
        with pytest.raises(Refusal, match="not a weights manifest"):
            Manifest.read(path)
    assert manifest(tmp_path, classes=None).classes == ()
