"""A published classifier is read whole or refused, and the convolutions made of it give the same answers."""

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner
from PIL import Image, ImageOps
from safetensors.torch import save_file

from pipeline.backbones.shared.random_start import random_start
from pipeline.convolutionalize import weights
from pipeline.convolutionalize.convolutionalize import classify, convolutionalize, fold, logits, prove, reshape
from pipeline.convolutionalize.weights import Manifest
from pipeline.core import plugins
from pipeline.core.types import LabelSpec, Refusal
from pipeline.fcn.net import FCN
from pipeline.spec import NetSpec
from pipeline.training import surgery
from pipeline.weights import checkpoint
from stages import convolutionalize as stage
from tests.closure import ROOT

REAL = Path(__file__).parents[2].parent / "shared/real"
CAFFE = {"format": "caffe", "order": "BGR", "range": 255, "mean": [104.0, 117.0, 123.0], "std": [1.0, 1.0, 1.0]}
TORCHVISION = {"format": "torchvision", "order": "RGB", "range": 1, "mean": [0.485, 0.456, 0.406]}
TORCHVISION |= {"std": [0.229, 0.224, 0.225]}
CLASSIFIER = {"format": "classifier", "order": "RGB", "range": 255, "mean": [120.0, 110.0, 100.0], "std": [1.0] * 3}
CLASSES = 7
VGG = plugins.load("backbones", "vgg16")


def written(folder: Path, backbone: str, facts: dict[str, Any], *, crop: int = 96) -> Manifest:
    """A folder as download-weights or pretrain leave it, with a random classifier that says something."""
    folder.mkdir(parents=True)
    row = {"file": "net", "crop": crop, "width": 0.05, "classes": [f"class {i}" for i in range(CLASSES)], **facts}
    (folder / "manifest.json").write_text(json.dumps(row))
    spec = NetSpec(backbone=backbone, width=0.05, crop=crop, padding=3, mean=(0.0, 0.0, 0.0))
    module, generator = plugins.load("backbones", backbone), torch.Generator().manual_seed(1)
    net = module.Classifier(spec, CLASSES)
    random_start(net, spec, generator)
    for name, parameter in net.named_parameters():
        if name.endswith(".bias") or name.startswith(module.LAST):
            torch.nn.init.normal_(parameter, 0, 0.1, generator=generator)
    state = net.state_dict()
    if facts["format"] == "torchvision":
        torch.save({place: state[name] for place, name in module.TORCHVISION.items()}, folder / "net")
    else:
        save_file(state, folder / "net")
        row["format"] = "classifier"  # Caffe's preprocessing in our container: its own has tests of its own
        (folder / "manifest.json").write_text(json.dumps(row))
    return Manifest.read(folder / "manifest.json")


@pytest.mark.parametrize(
    ("backbone", "crop", "padding", "facts"),
    [
        ("vgg16", 224, 100, CAFFE),
        ("vgg16", 224, 100, TORCHVISION),
        ("vgg16", 96, 36, TORCHVISION),
        ("vgg16", 96, 36, CLASSIFIER),
        ("alexnet", 224, 100, CAFFE),
        ("alexnet", 64, 5, CLASSIFIER),
        ("googlenet", 224, 3, CAFFE),
        ("googlenet", 96, 3, CLASSIFIER),
    ],
)
def test_the_proof_holds_and_is_written_twice_the_same(
    tmp_path: Path, backbone: str, crop: int, padding: int, facts: dict[str, Any]
) -> None:
    manifest = written(tmp_path / "raw", backbone, facts, crop=crop)
    convolutionalize(tmp_path / "raw", backbone, padding, tmp_path / "out")
    convolutionalize(tmp_path / "raw", backbone, padding, tmp_path / "again")
    for file in (tmp_path / "out").iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()
    proof = json.loads((tmp_path / "out" / f"{backbone}-fcn.json").read_text())
    spec, tensors = checkpoint.load(tmp_path / "out" / f"{backbone}-fcn.safetensors")
    assert 0 <= proof["relative"] < 1e-5 and proof["max_abs_diff"] < 1e-4
    assert proof["parameters"] == sum(tensor.numel() for tensor in tensors.values())
    assert spec.heads["imagenet"].classes == manifest.classes
    assert (spec.padding, spec.crop, spec.mean) == (padding, crop, manifest.rgb(manifest.mean))
    assert tensors["score.imagenet.weight"].shape[2:] == (1, 1)

    net_spec = replace(spec, stride=8, heads={"semantic": LabelSpec(classes=("a",), palette=((0, 0, 0),))})
    report = surgery.inherit(FCN(net_spec), net_spec, spec, tensors)
    assert {name for name, fate in report.items() if fate == "copied"} == {n for n in tensors if n[:5] != "score"}


State = dict[str, torch.Tensor]


def folded_vgg(raw: Path, facts: dict[str, Any]) -> tuple[Manifest, NetSpec, State, State]:
    """A VGG16's manifest and spec, its tensors as read, and folded."""
    manifest = written(raw, "vgg16", facts)
    spec = NetSpec(backbone="vgg16", width=0.05, crop=96, padding=36, mean=manifest.rgb(manifest.mean))
    state = weights.read(raw / "net", manifest, VGG, spec)
    assert all(tensor.data_ptr() % 64 == 0 for tensor in state.values()), "where it lies changes a sum's last bits"
    return manifest, spec, state, fold(state, manifest, VGG)


def test_std_is_spread_so_that_no_layer_learns_faster_than_the_others(tmp_path: Path) -> None:
    _, _, state, folded = folded_vgg(tmp_path / "raw", TORCHVISION)
    share = {layer: folded[f"{layer}.weight"].norm() / state[f"{layer}.weight"].norm() for layer in VGG.CHAIN}
    scale = 255 * sum(TORCHVISION["std"]) / 3
    assert all(abs(float(s) - scale ** (-1 / 16)) < 0.03 for s in share.values())
    assert torch.allclose(folded["conv1_1.bias"], state["conv1_1.bias"] * scale ** (15 / 16))
    assert torch.equal(folded["fc8.bias"], state["fc8.bias"])


def test_bgr_weights_see_the_channels_they_were_trained_on(tmp_path: Path) -> None:
    manifest, spec, state, folded = folded_vgg(tmp_path / "raw", CAFFE)
    assert torch.equal(folded["conv1_1.weight"], state["conv1_1.weight"][:, [2, 1, 0]])
    assert all(torch.equal(folded[name], state[name]) for name in state if name != "conv1_1.weight")
    forgetful = replace(manifest, order="RGB")
    with pytest.raises(Refusal, match="differ from the classifier"):
        prove(state, manifest, reshape(fold(state, forgetful, VGG), spec), spec)


# The five photographs that an animal fills most, 75 to 90 % of their pixels: dog, cat, cat, cow, sheep.
FILLED = ("2009_000839", "2011_002685", "2011_001775", "2008_005097", "2011_002119")
KINDS = (range(151, 269), range(281, 286), range(281, 286), range(345, 348), range(348, 351))  # ImageNet's of those


@pytest.mark.skipif(not REAL.exists(), reason=f"no {REAL}")
def test_the_published_googlenet_names_the_animals_in_part_and_in_whole() -> None:
    facts = {name: CAFFE[name] for name in ("format", "order", "range")}
    mean, std = (104.0, 117.0, 123.0), (1.0, 1.0, 1.0)
    manifest = Manifest(file="bvlc_googlenet.caffemodel", mean=mean, std=std, crop=224, width=1.0, classes=(), **facts)
    module = plugins.load("backbones", "googlenet")
    spec = NetSpec(backbone="googlenet", width=1.0, crop=224, padding=3, mean=manifest.rgb(mean))
    state = weights.read(REAL / manifest.file, manifest, module, spec)
    assert sum(tensor.numel() for tensor in state.values()) == 6_998_552
    tensors = reshape(fold(state, manifest, module), spec)
    assert prove(state, manifest, tensors, spec)["relative"] < 1e-5

    alike = 0
    for name, kind in zip(FILLED, KINDS, strict=True):
        photo = voc_photo(name)
        answer = int(
            classify(state, manifest, spec, tensor(ImageOps.fit(photo, (256, 256)).crop((16, 16, 240, 240)))).argmax()
        )
        whole = logits(tensors, spec, tensor(photo) - torch.tensor(spec.mean)[:, None, None])
        assert answer in kind, f"{name} is called ImageNet's class {answer}"
        alike += int(whole.mean((2, 3)).argmax()) == answer
    assert alike >= 4


def voc_photo(name: str) -> Image.Image:
    with tarfile.open(REAL / "VOCtrainval_11-May-2012.tar") as archive:
        member = archive.extractfile(f"VOCdevkit/VOC2012/JPEGImages/{name}.jpg")
        assert member is not None
        return Image.open(io.BytesIO(member.read())).convert("RGB")


def tensor(photo: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None].float()


def test_the_stage_refuses_before_it_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    params = {"runtime": {"threads": 1}, "backbones": {"vgg16": {"padding": 36}}}
    Path("params.yaml").write_text(yaml.safe_dump(params))
    Path("dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    monkeypatch.setattr(stage.determinism, "start", lambda runtime: None)  # its flags would outlive the test
    absent = CliRunner().invoke(stage.main, ["vgg16"])
    assert absent.exit_code == 1 and "no weights manifest at data/weights/vgg16/manifest.json" in absent.output
    written(tmp_path / "raw", "googlenet", {**TORCHVISION, "format": "classifier"})
    for key, padding, reason in (("googlenet", 3, "normalisation"), ("vgg16", "36", "padding is '36'")):
        with pytest.raises(Refusal, match=reason):
            convolutionalize(tmp_path / "raw", key, padding, tmp_path / "weights")  # type: ignore[arg-type]
    assert not Path("weights").exists()

    manifest = written(tmp_path / "data/weights/vgg16", "vgg16", CLASSIFIER)
    done = CliRunner().invoke(stage.main, ["vgg16"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    spec = checkpoint.load(tmp_path / "weights/vgg16-fcn.safetensors")[0]
    assert (spec.padding, spec.mean, spec.heads["imagenet"].classes) == (36, manifest.mean, manifest.classes)
    proof = json.loads(Path("weights/vgg16-fcn.json").read_text())
    assert set(proof) == {"max_abs_diff", "relative", "parameters", "spec"}


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
        ({"range": 2}, r"\.range is 2: choose 1 or 255"),
        ({"mean": [1.0]}, "mean and std are"),
        ({"std": [1.0, 0.0, 1.0]}, "mean and std are .* write three, std above 0"),
        ({"crop": 100}, r"\.crop is 100: it must be a multiple of 32"),
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
