"""The authors' caffemodels become our nets tensor by tensor and answer as Caffe's graph does, or are refused.

Their files cannot be had here. These are written after the layers of each ``net.py``, listed by hand.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner
from torch import Tensor
from torch.nn import functional

from pipeline.backbones.shared.random_start import random_start
from pipeline.core import plugins
from pipeline.core.types import LabelSpec, Refusal
from pipeline.fcn import inputs
from pipeline.fcn.net import FCN, LateFCN, build, make
from pipeline.released import released
from pipeline.released.released import RELEASED, import_released
from pipeline.spec import NetSpec
from pipeline.weights import checkpoint
from stages import import_weights as stage
from tests.caffe.test_caffemodel import Blobs, written
from tests.closure import ROOT

BLOCKS = (2, 2, 3, 3, 3)  # convolutions before each pool
CONVOLUTIONS = [f"conv{block}_{i}" for block, depth in enumerate(BLOCKS, 1) for i in range(1, depth + 1)]
VGG = (*CONVOLUTIONS[1:], "fc6", "fc7")  # but for the first, whose name changes with what it sees
VGG16 = {layer: f"backbone.{layer}" for layer in ("conv1_1", *VGG)}
ALEXNET = {layer: f"backbone.{layer}" for layer in ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7")}
COLOR_D = {"conv1_1_bgrd": "backbone.conv1_1", **{layer: f"backbone.{layer}" for layer in VGG}}
COLOR_HHA = {
    f"{layer}{column}": f"{column}.backbone.{layer}" for column in ("color", "hha") for layer in ("conv1_1", *VGG)
}
FR, POOL4, POOL3 = ({f"score_{of}": f"semantic.score_{of}"} for of in ("fr", "pool4", "pool3"))
LATE = {"score_frcolor": "color.semantic.score_fr", "score_frhha": "hha.semantic.score_fr"}
FR2, POOL42, POOL32 = (
    {f"score_{of}_sem": f"semantic.score_{of}", f"score_{of}_geo": f"geometric.score_{of}"}
    for of in ("fr", "pool4", "pool3")
)


@dataclass(frozen=True, kw_only=True)
class Net:
    """A net of theirs: Caffe's layers with ours, kernels of its deconvolutions, constants of its scales."""

    layers: Mapping[str, str]
    ups: Mapping[str, int]
    scales: Mapping[str, float]
    turned: Mapping[str, list[int]]  # where its input channels are among ours


BGR, BGRD = [2, 1, 0], [2, 1, 0, 3]


UP16, UP8 = {"upscore2": 4, "upscore16": 32}, {"upscore2": 4, "upscore_pool4": 4, "upscore8": 16}


def net(layers: Mapping[str, str], ups: Mapping[str, int], turned: Mapping[str, list[int]], **scales: float) -> Net:
    return Net(layers=layers, ups=ups, scales=scales, turned=turned)


def twice(ups: Mapping[str, int]) -> dict[str, int]:
    return {f"{layer}_{head}": kernel for head in ("sem", "geo") for layer, kernel in ups.items()}


NETS = {
    "voc-fcn32s": net(VGG16 | FR, {"upscore": 64}, {"conv1_1": BGR}),
    "voc-fcn16s": net(VGG16 | FR | POOL4, UP16, {"conv1_1": BGR}),
    "voc-fcn8s": net(VGG16 | FR | POOL4 | POOL3, UP8, {"conv1_1": BGR}),
    "voc-fcn8s-atonce": net(VGG16 | FR | POOL4 | POOL3, UP8, {"conv1_1": BGR}, scale_pool4=0.01, scale_pool3=0.0001),
    "voc-fcn-alexnet": net(ALEXNET | FR, {"upscore": 63}, {"conv1": BGR}),
    "nyud-fcn32s-color": net(VGG16 | FR, {"upscore": 64}, {"conv1_1": BGR}),
    "nyud-fcn32s-color-d": net(COLOR_D | FR, {"upscore": 64}, {"conv1_1_bgrd": BGRD}),
    "nyud-fcn32s-hha": net(VGG16 | FR, {"upscore": 64}, {}),
    "nyud-fcn32s-color-hha": net(COLOR_HHA | LATE, {"upscore": 64}, {"conv1_1color": BGR}),
    "siftflow-fcn32s": net(VGG16 | FR2, twice({"upscore": 64}), {"conv1_1": BGR}),
    "siftflow-fcn16s": net(VGG16 | FR2 | POOL42, twice(UP16), {"conv1_1": BGR}),
    "siftflow-fcn8s": net(VGG16 | FR2 | POOL42 | POOL32, twice(UP8), {"conv1_1": BGR}),
    "pascalcontext-fcn32s": net(VGG16 | FR, {"upscore": 64}, {"conv1_1": BGR}),
    "pascalcontext-fcn16s": net(VGG16 | FR | POOL4, UP16, {"conv1_1": BGR}),
    "pascalcontext-fcn8s": net(VGG16 | FR | POOL4 | POOL3, UP8, {"conv1_1": BGR}),
}


MEANS = {  # RGB; disparity, height, angle; ln of millimetres
    "voc": {"color": (122.67892, 116.66877, 104.00699)},
    "nyud": {"color": (92.318, 97.203, 116.190), "hha": (132.431, 94.076, 118.477), "depth": (7.844,)},
    "siftflow": {"color": (108.353, 115.294, 114.578)},
    "pascalcontext": {"color": (122.679, 116.669, 104.007)},
}


def labels(classes: int) -> LabelSpec:
    return LabelSpec(classes=tuple(str(i) for i in range(classes)), palette=((0, 0, 0),) * classes)


def thin(name: str) -> NetSpec:
    """Their net with fewer filters and classes, its geometry untouched."""
    facts, dataset = RELEASED[name], name.split("-")[0]
    heads = {"semantic": labels(4), "geometric": labels(3)} if dataset == "siftflow" else {"semantic": labels(5)}
    return NetSpec(
        backbone=facts.backbone,
        width=0.02,
        crop=224,
        padding=100,
        mean=tuple(value for column in facts.inputs for value in MEANS[dataset][column]),
        inputs=facts.inputs,
        streams=facts.streams,
        stride=facts.stride,
        skip_scales=facts.skip_scales,
        heads=heads,
    )


def drawn(spec: NetSpec) -> FCN | LateFCN:
    """A net with something in every tensor, and scores of about 1."""
    ours, generator = make(spec), torch.Generator().manual_seed(0)
    random_start(ours, spec, generator)
    for name, parameter in ours.named_parameters():
        if ".score_" in name or ".upscore" in name or name.endswith(".bias"):
            torch.nn.init.normal_(parameter, 0, 0.1, generator=generator)
    return ours.eval()


def bilinear(classes: int, kernel: int) -> np.ndarray:
    factor = (kernel + 1) // 2
    centre = factor - 1 if kernel % 2 else factor - 0.5
    rows, columns = np.ogrid[:kernel, :kernel]
    one = (1 - abs(rows - centre) / factor) * (1 - abs(columns - centre) / factor)
    return np.eye(classes)[:, :, None, None] * one


def caffe_blobs(name: str, spec: NetSpec, state: Mapping[str, Tensor]) -> Blobs:
    """Their layers, filled with our tensors; what no tensor of ours is, as their ``solve.py`` makes it."""
    blobs: Blobs = {}
    for layer, ours in NETS[name].layers.items():
        weight, bias = state[f"{ours}.weight"].numpy(), state[f"{ours}.bias"].numpy()
        blobs[layer] = [weight[:, NETS[name].turned[layer]] if layer in NETS[name].turned else weight, bias]
    for layer, kernel in NETS[name].ups.items():
        head = "geometric" if layer.endswith("_geo") else "semantic"
        blobs[layer] = [bilinear(len(spec.heads[head].classes), kernel)]
    for layer, value in NETS[name].scales.items():
        blobs[layer] = [np.full(state[f"semantic.score_{layer.removeprefix('scale_')}.weight"].shape[1], value)]
    return blobs


def caffe_scores(name: str, blobs: Blobs, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What Caffe computes from ``blobs`` alone: the graph of each ``net.py``, crops as its prototxt has them."""
    layers = {layer: [torch.from_numpy(blob).float() for blob in own] for layer, own in blobs.items()}
    data = next(iter(feeds.values()))
    height, width = data.shape[2:]

    def conv(x: Tensor, layer: str, **how: int) -> Tensor:
        return functional.conv2d(x, *layers[layer], **how)

    def up(x: Tensor, layer: str, stride: int) -> Tensor:
        return functional.conv_transpose2d(x, layers[layer][0], stride=stride)

    def crop(x: Tensor, like: tuple[int, ...], offset: int) -> Tensor:
        return x[:, :, offset : offset + like[0], offset : offset + like[1]]

    def vgg(x: Tensor, suffix: str, first: str) -> tuple[Tensor, Tensor, Tensor]:
        pools = []
        for block, depth in enumerate(BLOCKS, 1):
            for i in range(1, depth + 1):
                layer = first if (block, i) == (1, 1) else f"conv{block}_{i}{suffix}"
                x = conv(x, layer, padding=100 if layer == first else 1).relu()
            pools.append(x := functional.max_pool2d(x, 2, 2, ceil_mode=True))
        return pools[2], pools[3], conv(conv(x, f"fc6{suffix}").relu(), f"fc7{suffix}").relu()

    if name == "voc-fcn-alexnet":
        x = functional.max_pool2d(conv(data, "conv1", stride=4, padding=100).relu(), 3, 2, ceil_mode=True)
        x = functional.local_response_norm(x, 5, 1e-4, 0.75)
        x = functional.max_pool2d(conv(x, "conv2", padding=2, groups=2).relu(), 3, 2, ceil_mode=True)
        x = conv(functional.local_response_norm(x, 5, 1e-4, 0.75), "conv3", padding=1).relu()
        x = conv(conv(x, "conv4", padding=1, groups=2).relu(), "conv5", padding=1, groups=2).relu()
        x = conv(conv(functional.max_pool2d(x, 3, 2, ceil_mode=True), "fc6").relu(), "fc7").relu()
        return {"semantic": crop(up(conv(x, "score_fr"), "upscore", 32), (height, width), 18)}
    if name == "nyud-fcn32s-color-hha":
        color, hha = (vgg(feeds[column], column, f"conv1_1{column}")[2] for column in ("color", "hha"))
        fused = 0.5 * conv(color, "score_frcolor") + 0.5 * conv(hha, "score_frhha")
        return {"semantic": crop(up(fused, "upscore", 32), (height, width), 19)}
    early = torch.cat(list(feeds.values()), 1)
    pool3, pool4, fc7 = vgg(early, "", "conv1_1_bgrd" if len(feeds) > 1 else "conv1_1")
    if "atonce" in name:
        pool4, pool3 = pool4 * layers["scale_pool4"][0][:, None, None], pool3 * layers["scale_pool3"][0][:, None, None]
    answer = {}
    for head, s in {"semantic": "_sem", "geometric": "_geo"}.items() if "siftflow" in name else [("semantic", "")]:
        score = conv(fc7, f"score_fr{s}")
        if "32s" in name:
            answer[head] = crop(up(score, f"upscore{s}", 32), (height, width), 19)
            continue
        score = up(score, f"upscore2{s}", 2)
        score = score + crop(conv(pool4, f"score_pool4{s}"), score.shape[2:], 5)
        if "16s" in name:
            answer[head] = crop(up(score, f"upscore16{s}", 16), (height, width), 27)
            continue
        score = up(score, f"upscore_pool4{s}", 2)
        score = score + crop(conv(pool3, f"score_pool3{s}"), score.shape[2:], 9)
        answer[head] = crop(up(score, f"upscore8{s}", 8), (height, width), 31)
    return answer


def pictures() -> dict[str, np.ndarray]:
    chance = np.random.default_rng(1)
    colour, hha = (chance.integers(0, 256, (37, 50, 3), dtype=np.uint8) for _ in range(2))
    return {"color": colour, "hha": hha, "depth": chance.integers(500, 9000, (37, 50), dtype=np.uint16)}


def fed(name: str) -> dict[str, Tensor]:
    """What their data layers hand to Caffe: colour as BGR, HHA as stored, ln of depth, each minus its mean."""
    images, dataset = pictures(), name.split("-")[0]
    bgr = images["color"][:, :, ::-1].astype(np.float32) - np.float32(MEANS[dataset]["color"][::-1])
    feeds = {"color": bgr}
    if dataset == "nyud":
        feeds["depth"] = np.log(images["depth"].astype(np.float32))[:, :, None] - np.float32(7.844)
        feeds["hha"] = images["hha"].astype(np.float32) - np.float32(MEANS["nyud"]["hha"])
    return {
        column: torch.from_numpy(np.ascontiguousarray(feeds[column].transpose(2, 0, 1)))[None]
        for column in RELEASED[name].inputs
    }


def answered(path: Path) -> dict[str, Tensor]:
    ours = build(path)
    mean = torch.tensor(ours.spec.mean)[:, None, None]
    image = inputs.stack(pictures(), ours.spec.inputs, torch.device("cpu")) - mean
    with torch.inference_mode():
        scores: dict[str, Tensor] = ours(image)
    return scores


@pytest.mark.parametrize("layout", ["V1", "V2"])
@pytest.mark.parametrize("name", NETS)
def test_every_blob_becomes_our_tensor(tmp_path: Path, name: str, layout: str) -> None:
    spec = thin(name)
    state = drawn(spec).state_dict()
    path = written(tmp_path / "net", caffe_blobs(name, spec, state), layout)
    tensors, _ = released.read(path, spec)
    assert tensors.keys() == state.keys()
    assert all(torch.equal(tensors[one], state[one]) for one in state)
    assert all(tensor.data_ptr() % 64 == 0 for tensor in tensors.values())
    before = path.read_bytes()
    for tensor in tensors.values():
        tensor.zero_()
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", NETS)
def test_the_net_answers_as_caffe_does(tmp_path: Path, name: str) -> None:
    spec = thin(name)
    blobs = caffe_blobs(name, spec, drawn(spec).state_dict())
    checkpoint.save(tmp_path / "model", released.read(written(tmp_path / "net", blobs, "V2"), spec)[0], spec)
    with torch.inference_mode():
        wanted = caffe_scores(name, blobs, fed(name))
    got = answered(tmp_path / "model")
    assert got.keys() == wanted.keys() == spec.heads.keys()
    for head in wanted:
        assert got[head].shape == wanted[head].shape
        assert wanted[head].std() > 0.05 and (got[head] - wanted[head]).abs().max() < 1e-4


def test_upsampling_that_was_learned_is_kept(tmp_path: Path) -> None:
    spec = replace(thin("voc-fcn8s"), upsampling="learned")
    state = drawn(spec).state_dict()
    blobs = caffe_blobs("voc-fcn8s", spec, state)
    for layer, ours in {"upscore2": "upscore16", "upscore_pool4": "upscore8"}.items():
        blobs[layer] = [state[f"semantic.{ours}.weight"].numpy()]
    path = written(tmp_path / "net", blobs, "V2")
    tensors, _ = released.read(path, spec)
    assert tensors.keys() == state.keys() and all(torch.equal(tensors[one], state[one]) for one in state)
    checkpoint.save(tmp_path / "model", tensors, spec)
    with torch.inference_mode():
        wanted = caffe_scores("voc-fcn8s", blobs, fed("voc-fcn8s"))["semantic"]
    assert (answered(tmp_path / "model")["semantic"] - wanted).abs().max() < 1e-4
    with pytest.raises(Refusal, match=r"blob 0 of upscore2 is .* where this net's fixed bilinear upsampling has"):
        released.read(path, thin("voc-fcn8s"))


@pytest.mark.parametrize("name", NETS)
def test_at_full_width_it_is_fed_as_the_authors_fed_it(name: str) -> None:
    dataset = name.split("-")[0]
    spec = released.spec(RELEASED[name])
    counts = {"voc": [21], "nyud": [40], "siftflow": [33, 3], "pascalcontext": [60]}[dataset]
    assert [len(label.classes) for label in spec.heads.values()] == counts
    assert spec.heads == plugins.load("datasets", dataset).SPEC.labels
    assert replace(spec, heads={}, width=0.02) == replace(thin(name), heads={})
    assert spec.width == 1


@pytest.mark.parametrize("layout", ["V1", "V2"])
def test_refuses_what_is_not_that_net(tmp_path: Path, layout: str) -> None:
    spec = thin("voc-fcn8s-atonce")
    whole = caffe_blobs("voc-fcn8s-atonce", spec, drawn(spec).state_dict())
    weight, bias = whole["fc6"]
    up8, up2, scale4, scale3 = (whole[layer][0] for layer in ("upscore8", "upscore2", "scale_pool4", "scale_pool3"))
    crossed, sharper, nan = up8.copy(), up8.copy(), bias.copy()
    crossed[1, 2, 7, 7], sharper[3, 3, 7, 7], nan[2] = 1e-5, 0.88, np.nan
    flat, short = ("1×82×10×49", "1×1×1×81") if layout == "V1" else ("82×10×49", "81")
    cases: dict[str, Blobs] = {
        "lacks blob 1 of fc6: the weights are another net's": {"fc6": [weight]},
        "lacks blob 0 of upscore_pool4": {"upscore_pool4": []},
        "blob 0 of fc8 has no place in this net": {"fc8": [weight, bias]},
        "blob 2 of fc6 has no place in this net": {"fc6": [weight, bias, bias]},
        f"blob 0 of fc6 is {flat} where this net has 82×10×7×7": {"fc6": [weight.reshape(82, 10, 49), bias]},
        f"blob 1 of fc6 is {short} where this net has 82": {"fc6": [weight, bias[:81]]},
        "blob 1 of fc6 holds NaN or infinity: download": {"fc6": [weight, nan]},
        r"blob 0 of upscore8 is 1e-05 at \(1, 2, 7, 7\) where .* bilinear upsampling has 0:": {"upscore8": [crossed]},
        r"blob 0 of upscore8 is 0.88 at \(3, 3, 7, 7\) where .* has 0.878906:": {"upscore8": [sharper]},
        "blob 0 of upscore2 is 0 at .* where this net's fixed bilinear upsampling has 0.5625": {"upscore2": [0 * up2]},
        r"blob 0 of scale_pool3 is 0.000101 at \(0\) where .* skip_scales has 0.0001:": {
            "scale_pool3": [scale3 * 1.01]
        },
        "blob 0 of scale_pool4 is 1 at .* skip_scales has 0.01:": {"scale_pool4": [scale4 * 100]},
    }
    for text, wrong in cases.items():
        with pytest.raises(Refusal, match=text):
            released.read(written(tmp_path / "net", {**whole, **wrong}, layout), spec)


def test_float32_rounds_a_filter_and_that_is_all_it_may(tmp_path: Path) -> None:
    spec = thin("voc-fcn8s")
    blobs = caffe_blobs("voc-fcn8s", spec, drawn(spec).state_dict())
    blobs["upscore8"][0][0, 0, 3, 3] += 5e-7
    assert released.read(written(tmp_path / "net", blobs, "V2"), spec)
    blobs["upscore8"][0][0, 0, 3, 3] += 2e-6
    with pytest.raises(Refusal, match="blob 0 of upscore8"):
        released.read(written(tmp_path / "net", blobs, "V2"), spec)


def test_refuses_files_and_names_there_are_not(tmp_path: Path) -> None:
    spec, out = thin("voc-fcn32s"), tmp_path / "out"
    path = written(tmp_path / "net", caffe_blobs("voc-fcn32s", spec, drawn(spec).state_dict()), "V2")
    cut = tmp_path / "cut"
    cut.write_bytes(path.read_bytes()[:-9])
    for file, name, reason in (
        (path, "voc-fcn4s", r"imports\.mine\.net\.name is 'voc-fcn4s': the authors' nets are voc-fcn32s, voc-"),
        (path, "voc-fcn32s", r"where this net has 64×3×3×3: the weights are another net's"),
        (cut, "voc-fcn32s", r"not a whole \.caffemodel"),
    ):
        with pytest.raises(Refusal, match=reason):
            import_released("mine", file, name, out)
    with pytest.raises(Refusal, match="no released net has a head 'depth' beside another"):
        released.read(path, replace(spec, heads={"semantic": labels(5), "depth": labels(2)}))
    assert not out.exists()


def test_a_released_net_is_imported_with_every_blobs_fate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the stage, which says in one line why not."""
    monkeypatch.chdir(tmp_path)
    key, name = "voc-fcn8s-atonce-released", "voc-fcn8s-atonce"
    label = plugins.load("datasets", "voc").SPEC.labels["semantic"]
    spec = replace(thin(name), heads={"semantic": label})
    monkeypatch.setattr(released, "spec", lambda net: spec)  # the published width fills half a gigabyte
    row = {"folder": "data/weights/voc", "file": "net.caffemodel", "net": {"name": name, "backbone": "vgg16"}}
    row |= {"evaluate": {"shards": "voc", "split": "val"}}
    Path("dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    Path("params.yaml").write_text(yaml.safe_dump({"imports": {key: row}}))
    refused = f"Error: imports.{key}.file is data/weights/voc/net.caffemodel, which is no file"
    assert CliRunner().invoke(stage.main, [key]).stderr.startswith(refused)
    unknown = f"Error: no row '{name}' in params.yaml under imports: did you mean {key!r}?\n"
    assert CliRunner().invoke(stage.main, [name]).stderr == unknown

    state, run = drawn(spec).state_dict(), Path("runs", key)
    blobs = caffe_blobs(name, spec, state)
    Path("data/weights/voc").mkdir(parents=True)
    written(Path("data/weights/voc/net.caffemodel"), blobs, "V2")
    wrote = []
    for _ in range(2):
        done = CliRunner().invoke(stage.main, [key], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        wrote.append({path.name: path.read_bytes() for path in run.iterdir()})
    assert wrote[0] == wrote[1] and wrote[0].keys() == {"import.json", "model.safetensors"}
    loaded, tensors = checkpoint.load(run / "model.safetensors")
    assert loaded == spec and all(torch.equal(tensors[one], state[one]) for one in state)
    found = json.loads(wrote[0]["import.json"])
    assert (found["net"], found["file"], found["spec"]["heads"]) == (name, "net.caffemodel", {"semantic": 21})
    assert found["parameters"] == sum(tensor.numel() for tensor in state.values())
    fates = {(blob["layer"], blob["blob"]): blob for blob in found["blobs"]}
    assert list(fates) == [(layer, i) for layer, own in blobs.items() for i in range(len(own))]
    first = {"shape": [8, 3, 3, 3], "fate": "BGR to RGB", "tensor": "backbone.conv1_1.weight"}
    assert fates["conv1_1", 0] == {"layer": "conv1_1", "blob": 0, **first}
    assert [fates[at]["fate"] for at in (("score_pool4", 1), ("upscore8", 0), ("scale_pool3", 0))] == [
        *("copied", "bilinear", "scale")
    ]
    assert {blob["tensor"] for blob in found["blobs"] if "tensor" in blob} == state.keys()
