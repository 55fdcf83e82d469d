"""dvc.yaml tells the truth: a stage depends on folders that hold the code it imports, and on the params it reads."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.compose import composed
from pipeline.core.fields import flat
from pipeline.published.published import METRICS
from stages.shared.dvc import Stage, declared, stages
from tests.closure import ROOT, closure

SCALES = sorted(path.stem for path in (ROOT / "conf/scale").glob("*.yaml"))
STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMS: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
BEYOND = 330  # lines: what a stage of minutes may declare and not import; the longer ones a tenth of theirs
CODE = ("pipeline/", "stages/")


def body(stage: str) -> dict[str, Any]:
    return STAGES[stage].get("do", STAGES[stage])


def script(stage: str) -> str:
    module = re.search(r"-m (stages\.\w+)", body(stage)["cmd"])
    assert module, f"{stage} does not run a stage module"
    return module[1].replace(".", "/") + ".py"


def code(stage: str) -> list[str]:
    return [dep for dep in body(stage)["deps"] if dep.startswith(CODE)]


def sources(dep: str) -> set[str]:
    """The files of a folder, one file, or all plugins that ``pipeline/datasets/${key}.py`` may be; no empty ones."""
    path = ROOT / dep
    found = path.parent.glob("[!_]*.py") if "$" in dep else path.rglob("*.py") if path.is_dir() else [path]
    return {file.relative_to(ROOT).as_posix() for file in found if file.stat().st_size}


def imported(stage: str) -> set[str]:
    """What the stage's script runs, with every plugin that it may load by name."""
    plugins = {file for dep in code(stage) if "$" in dep or dep in WHOLE for file in sources(dep)}
    files = closure(script(stage)).union(*map(closure, plugins))
    return {file for file in files if (ROOT / file).stat().st_size}


WHOLE = ("pipeline/backbones", "pipeline/datasets")  # a stage that picks several plugins by name


@pytest.mark.parametrize("stage", STAGES)
def test_every_imported_file_lies_in_a_declared_folder(stage: str) -> None:
    declared_ = set().union(*map(sources, code(stage)))
    assert not imported(stage) - declared_


@pytest.mark.parametrize("stage", STAGES)
def test_every_declared_folder_is_entered_and_little_of_it_is_not_imported(stage: str) -> None:
    used, folders = imported(stage), [dep for dep in code(stage) if "$" not in dep]
    for dep in folders:
        assert sources(dep) & used, f"{stage} declares {dep} and imports nothing of it"
    whole = set().union(*map(sources, folders))
    beyond, total = _lines(whole - used), _lines(whole | used)
    assert beyond <= max(BEYOND, total / 10), f"{stage} declares {beyond} of {total} lines needlessly"


@pytest.mark.parametrize("stage", STAGES)
def test_code_is_declared_by_folders_and_single_modules_beside_them(stage: str) -> None:
    """A file inside of a folder is none, but for the one plugin: files that change together lie together."""
    for dep in code(stage):
        assert "$" in dep or (ROOT / dep).is_dir() or dep.count("/") == 1, f"{stage} picks {dep} out of its folder"


@pytest.mark.parametrize("scale", SCALES)
def test_data_is_exactly_an_output_or_a_folder_that_only_outputs_fill(scale: str, tmp_path: Path) -> None:
    found = laid(scale, tmp_path)
    outs = {out for stage in found.values() for out in stage.outs}
    for stage in found.values():
        for dep in (dep for dep in stage.deps if not dep.startswith(CODE)):
            parent = any(out.startswith(f"{dep}/") for out in outs)
            own = stage.address.startswith("convert-folder@")  # a user's folder
            assert dep in outs or own or (parent and dep in FILLED), (
                f"{stage.address} reads {dep}, which no stage writes"
            )


FILLED = ("data/bounds", "data/reports", "eval")


def test_dvc_yaml_is_short() -> None:
    assert len((ROOT / "dvc.yaml").read_text().splitlines()) <= 330


def test_dvc_shows_the_papers_four_metrics_of_each_head_and_no_more() -> None:
    """`dvc metrics show` had 878 columns: IUs by class, limits and counts are files to read."""
    shown = [row for name in STAGES for row in body(name).get("metrics", [])]
    assert {path for row in shown for path in row} == {"eval/${key}/metrics.json"}
    for path in ROOT.glob("eval/*/metrics.json"):
        found = json.loads(path.read_text())
        heads = {name: found.pop(name) for name in [*found] if name not in ("images", "ids_sha256", "scale")}
        assert all(scores.keys() == set(METRICS) for scores in heads.values())


def _lines(files: set[str]) -> int:
    return sum(len((ROOT / file).read_text().splitlines()) for file in files)


def laid(scale: str, folder: Path) -> dict[str, Stage]:
    """The stages of ``scale``, from a folder with its params.yaml."""
    (folder / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    (folder / "params.yaml").write_text(params(scale))
    return stages(folder)


@cache
def params(scale: str) -> str:
    """What ``scale`` makes of params.yaml: half a second to compose."""
    return composed(ROOT, (f"scale={scale}",))


@pytest.mark.parametrize("stage", STAGES)
def test_params_declared_are_params_read(stage: str) -> None:
    """Every declared name stands in the stage's source, as ``params[…]``, or a group of it does; and the reverse."""
    names, read = body(stage).get("params", []), _reads(ROOT / script(stage))
    for name in names:
        assert any(_within(name, text) or _within(text, name) for text in read), f"{stage} never reads {name}"
    for text in read:
        assert any(_within(name, text) or _within(text, name) for name in names), f"{stage} reads {text} undeclared"


def _within(name: str, group: str) -> bool:
    return name == group or name.startswith(f"{group}.")


def _reads(path: Path) -> set[str]:
    """The names in ``params["x.y"]`` and ``declared(…)["x.y"]``, with every placeholder written ``${key}``."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Subscript)]
    return {_text(node.slice) for node in nodes if _is_params(node.value)}


def _is_params(node: ast.expr) -> bool:
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "declared"
    return called or (isinstance(node, ast.Name) and node.id == "params")


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "${key}" for part in node.values)
    assert isinstance(node, ast.Constant), f"a computed params name: {ast.dump(node)}"
    return str(node.value)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_checks_the_versions_its_bytes_depend_on(stage: str) -> None:
    texts = {path: (ROOT / path).read_text() for path in closure(script(stage))}
    names = body(stage).get("params", [])
    assert ("runtime" in names) == ("pipeline/determinism.py" in texts)
    if any("pq.write_table" in text or "pq.ParquetWriter" in text for text in texts.values()):
        assert {"parquet", "parquet.pyarrow"} & set(names)
        assert 'versions.check("parquet"' in texts[script(stage)]


@pytest.mark.parametrize("scale", SCALES)
def test_a_scale_has_the_runtime_it_says(scale: str) -> None:
    said = yaml.safe_load((ROOT / f"conf/scale/{scale}.yaml").read_text()).get("runtime", {})
    assert said.items() <= yaml.safe_load(params(scale))["runtime"].items()


def test_params_are_the_composed_default() -> None:
    assert (ROOT / "params.yaml").read_text() == composed(ROOT), "run `make params`"


@pytest.mark.parametrize("scale", SCALES)
def test_both_yaml_dialects_read_the_same_params(scale: str) -> None:
    """DVC reads YAML 1.2, where 1e-10 is a number; PyYAML reads 1.1, where it is a text."""
    from ruamel.yaml import YAML

    text = params(scale)
    assert YAML(typ="safe").load(text) == yaml.safe_load(text)


@pytest.mark.parametrize("scale", SCALES)
def test_every_scale_fills_what_stages_read(scale: str, tmp_path: Path) -> None:
    for address in laid(scale, tmp_path):
        assert declared(address, tmp_path).leaves is not None
    assert yaml.safe_load(params(scale))["scale"] == scale


def test_our_reading_of_params_is_dvcs() -> None:
    from dvc.repo import Repo

    with Repo(str(ROOT)) as repo:
        for address in ("train@voc-fcn16s", "convert@voc", "convolutionalize@vgg16"):
            theirs: dict[str, Any] = {}
            for dep in repo.stage.load_one(name=address).params:
                theirs |= dep.read_params(flatten=True)
            assert declared(address, ROOT).leaves == flat(theirs)


@pytest.mark.parametrize("scale", SCALES)
def test_no_params_leaf_that_dvc_forgets(scale: str) -> None:
    """DVC's run-cache key drops leaves named ``size`` and ``nfiles`` inside a declared group (treeverse/dvc#10296)."""
    assert not re.search(r"^\s*(size|nfiles):", params(scale), re.MULTILINE)


def test_python_caches_are_no_dependency() -> None:
    ignored = (ROOT / ".dvcignore").read_text().splitlines()
    assert {"__pycache__/", "*.pyc"} <= set(ignored)
