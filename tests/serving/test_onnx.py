"""An exported net says without torch what torch says, of pictures of any size."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from pipeline.fcn import inputs
from pipeline.fcn.net import build
from pipeline.serving import onnx
from pipeline.spec import NetSpec
from tests.closure import ROOT
from tests.serving.world import MEAN, labels, photograph, saved, spec

BOTH = {"semantic": labels(21), "geometric": labels(3)}
SIZES = ((157, 203), (32, 300), (375, 260), (63, 40))


def agrees(folder: Path, net_spec: NetSpec) -> onnxruntime.InferenceSession:
    """Export, and compare labels and scores of every head on ``SIZES``."""
    weights = saved(folder / "weights.safetensors", net_spec)
    onnx.export(weights, folder / "net.onnx")
    session = onnxruntime.InferenceSession(str(folder / "net.onnx"), providers=["CPUExecutionProvider"])
    net, classes = build(weights), set()
    for height, width in SIZES:
        columns = {column: seen(column, height, width) for column in net_spec.inputs}
        image = inputs.stack(columns, net_spec.inputs, torch.device("cpu"))
        with torch.inference_mode():
            want = net(image - torch.tensor(net_spec.mean).view(1, -1, 1, 1))
        names = [name for head in net_spec.heads for name in (head, head + onnx.SCORES)]
        got = dict(zip(names, session.run(names, {c: pixels[None] for c, pixels in columns.items()}), strict=True))
        for head, scores in want.items():
            span = float(scores.max() - scores.min())
            assert np.abs(got[head + onnx.SCORES] - scores.numpy()).max() < 3e-6 * span
            best, second = scores.topk(2, dim=1).values.unbind(1)
            label = scores.max(1).indices.numpy()
            assert got[head].dtype == np.uint8 and got[head].shape == (1, height, width)
            assert np.array_equal(got[head], np.where((best - second < 6e-6 * span).numpy(), got[head], label))
            assert (got[head] == label).mean() > 0.9999
            classes |= {*np.unique(label).tolist()}
    assert len(classes) > 1
    return session


def seen(column: str, height: int, width: int) -> np.ndarray:
    if column == "depth":
        return photograph(height, width)[..., 0].astype(np.uint16) * 20 + 700
    return photograph(height, width, seed=len(column))


def test_a_graph_has_the_nets_heads_takes_batches_and_carries_its_spec(tmp_path: Path) -> None:
    net_spec = spec(heads=BOTH)
    session = agrees(tmp_path, net_spec)
    assert [(of.name, of.type, of.shape[-1]) for of in session.get_inputs()] == [("color", "tensor(uint8)", 3)]
    assert NetSpec.from_json(json.loads(session.get_modelmeta().custom_metadata_map["spec"])) == net_spec
    assert session.get_modelmeta().custom_metadata_map["least_side"] == "32"
    batch = np.stack([photograph(90, 120, seed=n) for n in range(3)])
    together = session.run(["semantic_scores"], {"color": batch})[0]
    apart = [session.run(["semantic_scores"], {"color": image[None]})[0] for image in batch]
    assert np.allclose(together, np.concatenate(apart), rtol=0, atol=1e-5 * np.ptp(together))


@pytest.mark.slow
@pytest.mark.parametrize(
    "net_spec",
    [
        spec(inputs=("color", "depth"), mean=(*MEAN, 7.8), fusion="max", skip_scales=(0.5, 0.2), upsampling="learned"),
        spec("alexnet", stride=8, padding=100, crop=224),
        spec("googlenet", stride=32),
        spec(stride=16, inputs=("color", "hha"), streams="late", mean=MEAN * 2),
    ],
    ids=["learned-depth", "alexnet", "googlenet", "late"],
)
def test_every_kind_of_net_agrees(tmp_path: Path, net_spec: NetSpec) -> None:
    agrees(tmp_path, net_spec)


@pytest.mark.slow
def test_equal_weights_give_equal_bytes(tmp_path: Path) -> None:
    onnx.export(saved(tmp_path / "weights.safetensors", spec(stride=8)), tmp_path / "a.onnx")
    script = f"from pathlib import Path; from pipeline.serving import onnx; f = Path({str(tmp_path)!r}); "
    script += "onnx.export(f / 'weights.safetensors', f / 'b.onnx')"
    subprocess.run([sys.executable, "-W", "error", "-c", script], cwd=ROOT, check=True)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
