"""The GPU check runs wherever torch does, and says of each precision whether it repeats."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.closure import ROOT


def benchmark(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "benchmarks.gpu", "--device", "cpu", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_prints_a_table_of_each_precision() -> None:
    small = ["--width", "0.03125", "--size", "48x40", "--iterations", "3"]
    ran = benchmark(*small, "--precision", "fp32", "--precision", "bf16")
    assert ran.returncode == 0, ran.stderr
    title, runtime, _, _, _, *rows = ran.stdout.splitlines()
    assert title == "FCN-8s-VGG16 of width 0.03125 on 48×40, 3 iterations of one image"
    assert runtime.startswith("cpu, torch ")
    number = r"\d[\d.e+-]*"
    for row, precision in zip(rows, ("fp32", "bf16"), strict=True):
        expected = rf"\| {precision} \| yes \| {number} \| {number} of {number} \(\d+%\) \| {number} \| – \|"
        assert re.fullmatch(expected, row), row


def test_refuses_what_the_device_cannot_compute() -> None:
    ran = benchmark("--precision", "tf32")
    assert ran.returncode == 1
    assert ran.stderr == (
        "Error: runtime.precision is tf32 but runtime.device is cpu: tf32 needs a GPU, so set fp32 or bf16\n"
    )
