"""The GPU check runs wherever torch does, and says of each precision whether it repeats and how peers fare."""

import re
import sys
from functools import partial

import pytest
import torch
from click.testing import CliRunner, Result

from benchmarks import _steps
from benchmarks.gpu import ITERATIONS, LADDER, beside, main, peers

pytestmark = pytest.mark.usefixtures("flags")

TINY = _steps.Work(width=1, across=48, down=40, iterations=2, device="cpu")
NUMBER = r"\d[\d.e+-]*"
SHARE = rf"{NUMBER} of {NUMBER} \(\d+%\)"


def benchmark(*options: str) -> Result:
    return CliRunner().invoke(main, ["--device", "cpu", *options], catch_exceptions=False)


def test_prints_a_table_of_each_precision_and_one_of_the_ladder_beside_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thin peer: a CPU computes torchvision's in bfloat16 for seconds."""
    monkeypatch.setattr(_steps, "PEERS", {"torch linear": partial(torch.nn.Conv2d, 3, _steps.CLASSES, 1)})
    small = ["--width", "0.03125", "--size", "48x40", "--iterations", "3"]
    ran = benchmark(*small, "--precision", "fp32", "--precision", "bf16")
    assert ran.exit_code == 0, ran.stderr
    title, runtime, _, _, _, *rows = ran.stdout.splitlines()
    assert title == "FCN-8s-VGG16 of width 0.03125 on 48×40, 3 iterations of one image"
    assert runtime.startswith("cpu, torch ")
    for row, precision in zip(rows[:2], ("fp32", "bf16"), strict=True):
        assert re.fullmatch(rf"\| {precision} \| yes \| {NUMBER} \| {SHARE} \| {NUMBER} \| – \|", row), row
    found = iter(rows[5:])
    for precision in ("fp32", "bf16"):
        hours = {}
        for net in (*LADDER, "torch linear"):
            told = re.fullmatch(rf"\| {net} \| {precision} \| ({NUMBER}) \| {SHARE} \| ({NUMBER}) \|", next(found))
            assert told
            assert float(told[2]) == pytest.approx(ITERATIONS / float(told[1]) / 3600, rel=0.01, abs=0.06)
            hours[net] = float(told[2])
        told = re.fullmatch(rf"\| 32s, 16s, 8s, .* \| {precision} \| – \| – \| ({NUMBER}) \|", next(found))
        assert told and float(told[1]) == pytest.approx(sum(hours[net] for net in LADDER), abs=0.2)
    assert next(found, None) is None


def test_a_peer_that_is_not_there_or_fails_is_a_row_and_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchfcn", None)  # not installed, as far as find_spec sees
    broken = partial(torch.nn.Conv2d, 4, _steps.CLASSES, 1)  # the image has three channels
    monkeypatch.setattr(_steps, "PEERS", {"torch broken": broken, **_steps.PEERS})
    found = dict(peers(TINY, "fp32"))
    speed, absent = found["torchvision fcn_resnet50"], found["torchfcn FCN8s"]
    assert str(found["torch broken"]).startswith("failed: Given groups=1, weight of size [21, 4, 1, 1]")
    assert isinstance(speed, float) and speed > 0
    assert beside("torchfcn FCN8s", "fp32", absent, TINY, 1e12) == "| torchfcn FCN8s | fp32 | not installed | – | – |"
    row = beside("torchvision fcn_resnet50", "fp32", speed, TINY, 1e12)
    assert re.fullmatch(rf"\| torchvision fcn_resnet50 \| fp32 \| {NUMBER} \| {SHARE} \| {NUMBER} \|", row), row
