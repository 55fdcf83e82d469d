"""A training is the same bytes on every x86-64 processor with AVX2: by digests, and by the kernels that it takes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pipeline
from tests.launch import another_maker

ROOT = Path(__file__).parents[1]
DIGESTS = json.loads((ROOT / "tests/portable.json").read_text())

pytestmark = pytest.mark.skipif("MKL_CBWR" not in pipeline.PINS, reason="no AVX2")


def computed(*python: str, asked: str = "all", **environment: str) -> subprocess.CompletedProcess[str]:
    """``tests.portable`` in a process of its own."""
    path = os.pathsep.join([str(ROOT), *(place for place in sys.path if place)])
    environment = {**pipeline.PINS, "OMP_NUM_THREADS": "1", "PYTHONPATH": path, **environment}
    return subprocess.run(
        [*python, "-m", "tests.portable", asked], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )


def test_operations_and_trainings_give_the_bytes_of_every_other_machine() -> None:
    found = json.loads(computed(sys.executable).stdout)
    assert [name for name in DIGESTS if found.get(name) != DIGESTS[name]] == []
    assert found.keys() == DIGESTS.keys()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("qemu-x86_64") is None, reason="no qemu-user")
def test_trainings_give_the_same_bytes_on_another_maker_s_processor() -> None:
    ran = computed(*another_maker(), asked="nets")
    found = json.loads(ran.stdout)
    assert found
    assert found == {name: DIGESTS[name] for name in found}


def test_no_convolution_asks_for_the_size_of_a_cache() -> None:
    """oneDNN's other kernels, by an unfolded copy or for 1×1, cut their sums by it (ONEDNN_VERBOSE names each)."""
    lines = computed(sys.executable, ONEDNN_VERBOSE="1").stdout.splitlines()
    ran = [line.split(",") for line in lines if ",exec,cpu,convolution," in line]
    assert len(ran) > 100
    assert {words[words.index("convolution") + 1] for words in ran} == {"jit:avx2", "jit_dw:avx2"}
    assert not [line for line in lines if ",exec,cpu,matmul," in line or ",exec,cpu,inner_product," in line]
