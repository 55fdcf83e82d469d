"""Weights carry their net, and equal weights are equal bytes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pipeline.backbones.shared.random_start import random_start
from pipeline.core.files import sha256
from pipeline.core.types import LabelSpec, Refusal
from pipeline.fcn.net import FCN, LateFCN, build
from pipeline.spec import NetSpec
from pipeline.weights import checkpoint
from pipeline.weights.checkpoint import fuse

SEMANTIC = LabelSpec(classes=("background", "chat noir"), palette=((0, 0, 0), (128, 0, 0)))
SPEC = NetSpec(
    backbone="vgg16", width=0.125, crop=96, padding=36, mean=(122.67892, 117.0, 104.0), heads={"semantic": SEMANTIC}
)
LABEL = LabelSpec(classes=("wall", "floor", "bed"), palette=((0, 0, 0), (1, 1, 1), (2, 2, 2)))
COLOR = NetSpec(backbone="vgg16", width=0.02, crop=32, padding=20, mean=(90.0, 97.0, 116.0), heads={"semantic": LABEL})
HHA = replace(COLOR, inputs=("hha",), mean=(132.0, 94.0, 118.0))


def tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {f"layer{i}.weight": torch.randn(i + 1, 3, generator=generator) for i in range(12)}


def test_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "model.safetensors"
    checkpoint.save(path, tensors(), SPEC)
    spec, loaded = checkpoint.load(path)
    assert spec == SPEC
    assert list(loaded) == sorted(tensors())
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors().items())
    assert [file.name for file in path.parent.iterdir()] == ["model.safetensors"]


def test_same_bytes_from_any_order_and_layout(tmp_path: Path) -> None:
    """And from any process: trainings show that."""
    turned = {name: tensor.T.contiguous().T for name, tensor in reversed(tensors().items())}
    for name, state in (("a", tensors()), ("b", turned)):
        checkpoint.save(tmp_path / name, state, SPEC)
    assert sha256(tmp_path / "a") == sha256(tmp_path / "b")


def test_refuses_what_it_did_not_write(tmp_path: Path) -> None:
    save_file(tensors(), tmp_path / "bare")
    save_file(tensors(), tmp_path / "odd", metadata={"spec": "{}"})
    save_file(tensors(), tmp_path / "newer", metadata={"spec": json.dumps({**SPEC.to_json(), "stretch": 3})})
    (tmp_path / "text").write_text("not weights")
    (tmp_path / "cut").write_bytes((tmp_path / "bare").read_bytes()[:-5])
    no_file, no_net = "not a safetensors file", "tells no net"
    cases = {"absent": "no weights at", "text": no_file, "cut": no_file, "bare": no_net, "odd": no_net, "newer": no_net}
    for name, message in cases.items():
        with pytest.raises(Refusal, match=message):
            checkpoint.load(tmp_path / name)


def trained(path: Path, spec: NetSpec, seed: int) -> Path:
    net = FCN(spec)
    random_start(net, spec, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        net.get_submodule("semantic").score_fr.weight.normal_(generator=torch.Generator().manual_seed(seed))  # type: ignore[union-attr,operator]
    checkpoint.save(path, net.state_dict(), spec)
    return path


def test_it_scores_the_mean_of_its_streams(tmp_path: Path) -> None:
    color, hha = trained(tmp_path / "color", COLOR, 1), trained(tmp_path / "hha", HHA, 2)
    fuse([color, hha], tmp_path / "late")
    net = build(tmp_path / "late")
    assert isinstance(net, LateFCN)
    assert (net.spec.inputs, net.spec.streams, net.spec.mean) == (("color", "hha"), "late", COLOR.mean + HHA.mean)
    image = 57 * torch.randn(1, 6, 40, 50, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        scores = [build(path)(part)["semantic"] for path, part in ((color, image[:, :3]), (hha, image[:, 3:]))]
        assert torch.allclose(net(image)["semantic"], (scores[0] + scores[1]) / 2, atol=1e-6)


def test_nets_that_are_no_pair_are_refused(tmp_path: Path) -> None:
    color = trained(tmp_path / "color", COLOR, 1)
    early = replace(COLOR, inputs=("color", "depth"), mean=(0.0,) * 4)
    others = {
        "see color both": trained(tmp_path / "again", COLOR, 2),
        "has another stride than": trained(tmp_path / "finer", replace(HHA, stride=16), 2),
        "fuse nets of one input each": trained(tmp_path / "early", early, 2),
    }
    for message, other in others.items():
        with pytest.raises(Refusal, match=message):
            fuse([color, other], tmp_path / "late")
    assert not (tmp_path / "late").exists()
