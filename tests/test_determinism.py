"""What a machine or a shell may vary is pinned, checked or told: results come from params.yaml alone."""

import logging
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch

import pipeline
from pipeline import determinism
from pipeline.core import versions
from pipeline.core.types import Refusal
from tests.closure import ROOT
from tests.training.world import classifier, shards

ASKED = {
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_CBWR": "AVX2",
    "OPENBLAS_CORETYPE": "Prescott",
    "CUBLAS_WORKSPACE_CONFIG": ":16:8",
}
HERE = {"python": platform.python_version(), **{name: metadata.version(name) for name in ("pyarrow", "torch")}}
START = "determinism.start({'threads': 1})"
TRAIN = f"""
import sys
from pathlib import Path
from pipeline import determinism
{START}
from tests.training.world import fit, recipe
print(fit(Path(sys.argv[1]), sys.argv[2], row=recipe(stride=8)))
"""


def python(code: str, *arguments: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A fresh process whose environment has of the pinned variables only those given."""
    rest = {name: value for name, value in os.environ.items() if name not in pipeline.PINS}
    command = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=rest | environment, capture_output=True, text=True, check=False)


def test_a_shell_that_asks_for_other_kernels_does_not_change_a_training(tmp_path: Path) -> None:
    shards(tmp_path / "train")
    classifier(tmp_path / "init.safetensors")
    runs = [python(TRAIN, tmp_path, Path(out), **asked) for out, asked in (("plain", {}), ("asked", ASKED))]
    assert [ran.returncode for ran in runs] == [0, 0], runs[1].stderr
    assert runs[0].stdout == runs[1].stdout
    assert "model.safetensors" in runs[0].stdout


def test_torch_imported_before_its_kernels_are_pinned_is_refused() -> None:
    code = f"import torch\nfrom pipeline import determinism\n{START}"
    name, value = "CUBLAS_WORKSPACE_CONFIG", pipeline.PINS["CUBLAS_WORKSPACE_CONFIG"]
    message = f"import pipeline before them, or set {name}={value}"
    assert f"NumPy or torch was imported with {name} unset, and results depend on it: {message}" in python(code).stderr
    pinned = pipeline.PINS | {name: ":16:8"}
    assert f"NumPy or torch was imported with {name} at :16:8, and" in python(code, **pinned).stderr
    ran = python(code, **pipeline.PINS)  # as a child of a pinned process has them
    assert ran.returncode == 0, ran.stderr


def test_kernels_are_pinned_only_where_the_processor_has_them(tmp_path: Path) -> None:
    for text, pinned in (("flags\t: sse4_2 avx\n", False), ("flags\t: avx avx2\nflags\t: avx avx2\n", True)):
        (tmp_path / "cpuinfo").write_text(text)
        assert ("ATEN_CPU_CAPABILITY" in pipeline.pins(tmp_path / "cpuinfo")) == pinned
    x86 = platform.machine() in ("x86_64", "AMD64")
    assert ("ATEN_CPU_CAPABILITY" in pipeline.pins(tmp_path / "absent")) == x86


@pytest.mark.usefixtures("flags")
def test_a_processor_without_avx2_trains_and_is_told_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    with caplog.at_level(logging.WARNING):
        assert determinism.start({"threads": 1}) == torch.device("cpu")
    assert [record.getMessage() for record in caplog.records] == [
        "This processor has no AVX2: results repeat here but differ from dvc.lock's in their last bits."
    ]


@pytest.mark.usefixtures("flags")
def test_start_leaves_nothing_to_chance() -> None:
    determinism.start({"threads": 1}, "bf16")
    assert torch.get_num_threads() == 1
    assert torch.get_deterministic_debug_mode() == 2
    assert not torch.backends.cudnn.benchmark
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32
    if "ATEN_CPU_CAPABILITY" in pipeline.PINS:
        assert torch.backends.cpu.get_cpu_capability() == "AVX2"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.usefixtures("flags")
def test_tf32_is_on_only_where_it_is_asked_for() -> None:
    for precision in ("tf32", "fp32"):
        determinism.start({"threads": 1, "device": "cuda"}, precision)
        assert torch.backends.cudnn.allow_tf32 == torch.backends.cuda.matmul.allow_tf32 == (precision == "tf32")


@pytest.mark.parametrize(
    ("runtime", "message"),
    [
        ({"precision": "tf32"}, r"runtime\.precision is tf32 but runtime\.device is cpu: tf32 needs a GPU"),
        ({"precision": "fp16"}, r"runtime\.precision is fp16: choose fp32, tf32, bf16"),
        ({"device": "gpu"}, r"runtime\.device is gpu: choose cpu or cuda"),
        pytest.param(
            {"device": "cuda"},
            r"runtime\.device is cuda but torch sees no GPU: set runtime\.device to cpu",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU"),
        ),
        ({"torch": "1.2.3"}, r"torch \S+ runs here but params\.yaml says runtime\.torch: 1\.2\.3; install that"),
        ({"pyarrow": ">=1000"}, r"pyarrow \S+ runs here but params\.yaml says runtime\.pyarrow: >=1000; "),
        ({"python": f">={HERE['python']}.1"}, r"python \S+ runs here but"),
        ({"python": 3.11}, rf"runtime\.python is 3\.11: write a version in quotes, '{HERE['python']}', or the least"),
        ({"python": "~=3.11"}, r"runtime\.python is '~=3\.11': write a version"),
        ({"pyarow": "25.0.1"}, r"params\.yaml names runtime\.pyarow, which is not installed here: install pyarow"),
    ],
)
def test_start_refuses_in_one_line_before_it_sets_anything(runtime: dict[str, Any], message: str) -> None:
    mode, threads = torch.get_deterministic_debug_mode(), torch.get_num_threads()
    precision = runtime.pop("precision", "fp32")
    with pytest.raises(Refusal, match=f"^{message}.*$"):
        determinism.start({"threads": threads + 1, **runtime}, precision)
    assert (torch.get_deterministic_debug_mode(), torch.get_num_threads()) == (mode, threads)


@pytest.mark.parametrize(
    "runtime",
    [
        {**HERE, "device": "cpu", "threads": 1, "precision": "fp32"},
        {"python": ">=3.11", "pyarrow": ">= 9", "click": ">=8.0.0"},  # 9 is less than 25, as a text it is more
        {"torch": HERE["torch"].split("+")[0]},  # any build of it
    ],
)
def test_a_run_goes_on_with_the_versions_that_are_written(runtime: dict[str, str]) -> None:
    versions.check("runtime", runtime)
