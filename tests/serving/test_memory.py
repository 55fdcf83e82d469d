"""What labelling will take is known before it is taken."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.serving import memory
from tests.closure import ROOT

CPU = torch.device("cpu")


class Doubled(nn.Module):
    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        wide = torch.cat([image, image], 1)
        wide.relu_()
        return {"a": wide[:, :1] + 1}


def test_the_peak_is_what_lives_at_once() -> None:
    """10×10 floats are 400 bytes: image 3, wide 6, sum 1; then the image, sum, best scores and labels of 8 bytes."""
    assert memory.peak(Doubled(), 3, 10, 10) == 4000


MEASURED = """
import re
from pathlib import Path
import torch
from pipeline.serving import memory
from pipeline.serving.segment import Segmenter
from tests.serving.world import net, spec
def kilobytes(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
made = net(spec(width=0.125, padding=100, crop=224))
with torch.inference_mode():
    made(torch.zeros(1, 3, 64, 64))
    before = kilobytes("VmRSS")
    for scores in made(torch.zeros(1, 3, 1200, 1600) - 1).values():
        scores.max(1)
allowed = Segmenter(made, torch.device("cpu"))._bytes_per_pixel * 1400 * 1800
print(allowed, 1024 * (kilobytes("VmHWM") - before))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_forward_pass_takes_about_half_of_what_is_allowed_for_and_never_more() -> None:
    """In a process of its own, whose peak no other test has set."""
    done = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, cwd=ROOT, check=True)
    allowed, taken = map(float, done.stdout.split())
    assert 0.4 * allowed < taken < allowed


def test_a_container_bounds_what_is_available(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    assert memory.available(CPU) > 100 << 20
    (tmp_path / "memory.current").write_text(f"{1 << 20}\n")
    for limit, bounded in (("max", False), (str(3 << 20), True)):
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        assert memory.available(CPU) == 2 << 20 if bounded else memory.available(CPU) > 100 << 20
