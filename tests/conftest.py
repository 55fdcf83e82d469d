"""Tests compute as stages do: torch's kernels are pinned before any test imports it; nobody looks on."""

import os
import shutil
import signal
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

import pipeline

# Before torch: threads of several tests at once would wait for each other, spinning, for several times what they save
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("FCN_TRACKING", "off")  # tests of tracking turn it on; the others would start MLflow beside them
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in a shell's background job, and so would every child
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes first: beside it the rest finds its place, and no process is left alone with it in the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture
def flags() -> Iterator[None]:
    """Puts back what ``pipeline.determinism.start`` sets for the whole process."""
    import torch

    assert not pipeline.UNPINNED
    mode, threads = torch.get_deterministic_debug_mode(), torch.get_num_threads()
    yield
    torch.set_deterministic_debug_mode(mode)
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def denormals() -> Iterator[None]:
    """No stage, and no library that it loads, flushes denormals: all that a process computes would not be IEEE's."""
    yield
    assert sys.float_info.min / 2 > 0


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow store: creating its tables takes seconds, copying it none."""
    path = tmp_path_factory.mktemp("tables") / "mlflow.db"
    with warnings.catch_warnings(action="ignore"):
        import mlflow.pyfunc  # it warns of its own type hints

        mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def conf_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What `python -m ops.compose` reads of a clone: conf/, stages, params.yaml and the library; entered."""
    root = Path(__file__).parents[1]
    shutil.copytree(root / "conf", tmp_path / "conf")
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(root / name, tmp_path)
    (tmp_path / "pipeline").symlink_to(root / "pipeline")
    monkeypatch.chdir(tmp_path)
    return tmp_path
