"""Who may import whom: the layout is the cache key, so a stray import is a stray retraining."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core import plugins
from tests.closure import FIRST_PARTY, LOOKS_ON, ROOT, closure, imported_names, imports

LIBRARY = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "pipeline").rglob("*.py"))
TRACKING = ("pipeline/tracking/", "pipeline/live/", "pipeline/registry/", "pipeline/serving/")
PLUGIN_KINDS = ("backbones", "datasets", "miniature")


def third_party(path: str) -> set[str]:
    return {name.split(".")[0] for name in imported_names(ast.parse((ROOT / path).read_text()))}


@pytest.mark.parametrize("path", LIBRARY)
def test_library_knows_no_command_line_no_dvc_and_mlflow_only_where_it_tracks(path: str) -> None:
    assert not third_party(path) & {"click", "dvc"}
    assert "mlflow" not in third_party(path) or path.startswith(TRACKING)


PINNING = ("pipeline/__init__.py", "pipeline/tracking/__init__.py", "pipeline/registry/__init__.py", "ops/__init__.py")


@pytest.mark.parametrize(
    "path", sorted(p.relative_to(ROOT).as_posix() for top in FIRST_PARTY for p in (ROOT / top).rglob("__init__.py"))
)
def test_packages_are_empty_but_for_what_must_be_pinned_first(path: str) -> None:
    assert path in PINNING or (ROOT / path).read_text() == ""
    assert not third_party(path) & {"torch", "mlflow"}


def test_training_imports_no_evaluation_and_evaluation_no_training() -> None:
    assert not [path for path in closure("stages/train.py") if path.startswith("pipeline/evaluation")]
    assert not [path for path in closure("stages/evaluate.py") if path.startswith("pipeline/training")]


@pytest.mark.parametrize("stage", ["train", "evaluate", "pretrain", "convolutionalize"])
def test_what_runs_on_a_gpu_machine_needs_neither_dvc_nor_mlflow(stage: str) -> None:
    needed = set().union(*(third_party(path) for path in closure(f"stages/{stage}.py")))
    assert not needed & {"dvc", "mlflow", "pandas", "hydra", "pydantic", "torchvision"}


@pytest.mark.parametrize("stage", ["miniature", "download", "convert", "report"])
def test_data_stages_and_the_report_do_not_wait_for_torch(stage: str) -> None:
    files = closure(f"stages/{stage}.py") | {f"pipeline/datasets/{name}.py" for name in plugins.names("datasets")}
    assert not [path for path in files if "torch" in third_party(path)]


def test_torch_is_pinned_by_whatever_is_imported_of_the_library() -> None:
    """In a process of its own, for here all is loaded."""
    script = "import pipeline.fcn.net, os, pipeline; assert not pipeline.UNPINNED and os.environ['MKL_CBWR']"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, env={**os.environ, "MKL_CBWR": "COMPATIBLE"})


@pytest.mark.parametrize("kind", PLUGIN_KINDS)
def test_plugins_never_import_siblings(kind: str) -> None:
    for name in plugins.names(kind):
        siblings = {f"pipeline/{kind}/{other}.py" for other in plugins.names(kind) if other != name}
        assert not siblings & closure(f"pipeline/{kind}/{name}.py"), f"{kind}/{name}.py imports a sibling"


@pytest.mark.parametrize("path", sorted((ROOT / "stages").glob("[!_]*.py")), ids=lambda path: path.stem)
def test_stages_hold_no_logic(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 70
    assert imports(path.relative_to(ROOT).as_posix()), "a stage calls the library"


def test_whoever_looks_on_can_neither_compute_nor_answer() -> None:
    """``LOOKS_ON`` is no stage's dependency, so nothing it or its imports do may reach an output."""
    watching = closure(LOOKS_ON[0])
    assert not [path for path in watching if third_party(path) & {"torch", "mlflow", "dvc", "click"}]
    assert not [path for path in watching if path.startswith(("pipeline/training", "pipeline/fcn", "pipeline/shards"))]
    told = ast.parse((ROOT / "pipeline/runtime/observer.py").read_text())
    methods = [node for node in ast.walk(told) if isinstance(node, ast.FunctionDef)]
    assert methods
    assert all(isinstance(method.returns, ast.Constant) and method.returns.value is None for method in methods)
