"""What labelling will take is told before it is taken."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.fcn.net import make
from pipeline.serving import memory
from pipeline.serving.segment import EVERY_NET, PADDING, SCRATCH
from pipeline.spec import NetSpec
from tests.closure import ROOT
from tests.serving.world import MEAN, labels, spec


class Doubled(nn.Module):
    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        wide = torch.cat([image, image], 1)
        wide.relu_()
        return {"a": wide[:, :1] + 1}


def test_the_peak_is_what_lives_at_once() -> None:
    """10×10 floats are 400 bytes: image 3, wide 6, sum 1; then the image, sum, best scores and labels of 8 bytes."""
    assert memory.peak(Doubled(), 3, 10, 10) == 4000
    net = nn.Module()
    net.forward = lambda image: {"a": image}  # type: ignore[method-assign]
    assert memory.peak(net, 3, 10, 10) == 2400  # the bytes before and behind the subtraction


def on_meta(net_spec: NetSpec) -> nn.Module:
    with torch.device("meta"):
        return make(net_spec).eval()


@pytest.mark.parametrize("backbone", ["vgg16", "alexnet", "googlenet"])
@pytest.mark.parametrize("stride", [32, 8])
def test_no_net_comes_near_the_bound_below_which_nothing_is_estimated(backbone: str, stride: int) -> None:
    heads = {"semantic": labels(60), "geometric": labels(3)}
    padding = 3 if backbone == "googlenet" else 100
    fields = {"width": 1.0, "crop": 224, "padding": padding, "heads": heads}
    nets = [spec(backbone, stride, **fields)]
    nets.append(spec(backbone, stride, inputs=("color", "hha"), streams="late", **{**fields, "mean": MEAN * 2}))
    for net_spec in nets:
        for height, width in ((32, 32), (375, 500), (100, 3000), (2000, 2000)):
            peak = memory.peak(on_meta(net_spec), len(net_spec.mean), height, width)
            assert SCRATCH * peak < EVERY_NET * (height + PADDING) * (width + PADDING)


MEASURED = """
import re
from pathlib import Path
import torch
from pipeline.fcn.net import make
from pipeline.serving import memory
from tests.closure import ROOT
from tests.serving.world import spec
def kilobytes(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
net_spec = spec(width=0.125, padding=100, crop=224)
with torch.device("meta"):
    estimate = memory.peak(make(net_spec).eval(), 3, 1200, 1600)
net = make(net_spec).eval()
with torch.inference_mode():
    net(torch.zeros(1, 3, 64, 64))
    before = kilobytes("VmRSS")
    for scores in net(torch.zeros(1, 3, 1200, 1600) - 1).values():
        scores.max(1)
print(estimate, 1024 * (kilobytes("VmHWM") - before))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_forward_pass_takes_about_the_estimate_and_never_more_than_it_with_scratch() -> None:
    """In a process of its own, whose peak no other test has set."""
    done = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, cwd=ROOT, check=True)
    estimate, taken = map(int, done.stdout.split())
    assert 0.8 * estimate < taken < SCRATCH * estimate


def test_a_container_bounds_what_is_available(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    free = memory.available(torch.device("cpu"))
    assert free > 100 << 20
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text(f"{1 << 20}\n")
    assert memory.available(torch.device("cpu")) > 100 << 20
    (tmp_path / "memory.max").write_text(f"{3 << 20}\n")
    assert memory.available(torch.device("cpu")) == 2 << 20
