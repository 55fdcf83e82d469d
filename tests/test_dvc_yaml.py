"""dvc.yaml tells the truth: a stage depends on exactly the code it imports and exactly the params it reads."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.compose import composed
from stages._params import declared
from tests.closure import ROOT, closure

SCALES = sorted(path.stem for path in (ROOT / "conf/scale").glob("*.yaml"))
STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMS: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
# The plugin folder a stage picks one file from, and the field of its row that names the file.
PLUGINS: dict[str, tuple[str, str]] = {
    stage: (found[1], found[2])
    for stage, entry in STAGES.items()
    if (found := re.search(r"pipeline/(\w+)/(\$\{[\w.]+\})\.py", " ".join(entry.get("do", entry)["deps"])))
}


def body(stage: str) -> dict[str, Any]:
    return STAGES[stage].get("do", STAGES[stage])


def script(stage: str) -> str:
    module = re.search(r"-m (stages\.\w+)", body(stage)["cmd"])
    assert module, f"{stage} does not run a stage module"
    return module[1].replace(".", "/") + ".py"


@pytest.mark.parametrize("stage", STAGES)
def test_code_deps_are_the_import_closure(stage: str) -> None:
    code = {dep for dep in body(stage)["deps"] if dep.endswith(".py")}
    packages = [dep for dep in body(stage)["deps"] if dep.startswith("pipeline/") and not dep.endswith(".py")]
    inside = set().union(*(sources(package) for package in packages))  # a stage that picks several plugins by name
    expected = closure(script(stage)) | set().union(*map(closure, inside))
    expected -= inside
    if stage in PLUGINS:
        folder, name = PLUGINS[stage]
        expected.add(f"pipeline/{folder}/{name}.py")
        unused: set[str] = set()
        rows = plugin_rows(stage)
        for plugin, row in rows.items():
            file = f"pipeline/{folder}/{plugin}.py"
            own = sources(row["code"]) if "${item.code}" in body(stage)["deps"] else set()
            unused |= own
            shared = closure(file) - {file} - own
            alone = shared - code - expected
            assert not alone, f"{file} imports {sorted(alone)}, which {stage} does not depend on"
            expected |= shared
        unused -= set().union(*(closure(f"pipeline/{folder}/{plugin}.py") for plugin in rows))
        assert not unused, f"a row's code names {sorted(unused)}, which no plugin imports"
        code -= {"${item.code}"}
    assert code == expected, f"missing {sorted(expected - code)}, needless {sorted(code - expected)}"


def plugin_rows(stage: str) -> dict[str, dict[str, Any]]:
    """The plugins that a scale uses in ``stage``, each with its row."""
    _, name = PLUGINS[stage]
    group = STAGES[stage]["foreach"].strip("${}")
    field = name.removeprefix("${item.").strip("${}")
    rows = [item for scale in SCALES for item in yaml.safe_load(params(scale))[group].items()]
    return {key if field == "key" else row[field]: row for key, row in rows}


@cache
def params(scale: str) -> str:
    """What ``scale`` makes of params.yaml: half a second to compose."""
    return composed(ROOT, (f"scale={scale}",))


def sources(path: str) -> set[str]:
    """A module, or the modules of a package, whose ``__init__.py`` is empty."""
    found = (ROOT / path).rglob("*.py") if (ROOT / path).is_dir() else [ROOT / path]
    return {file.relative_to(ROOT).as_posix() for file in found if file.name != "__init__.py"}


@pytest.mark.parametrize("stage", STAGES)
def test_params_declared_are_params_read(stage: str) -> None:
    """Every declared name stands in the stage's source, as a subscript or under a row it asks for, and the reverse."""
    names = body(stage).get("params", [])
    read = _reads(ROOT / script(stage))
    for name in names:
        assert any(name == text or name.startswith(f"{text}.") for text in read), f"{stage} never reads {name}"
    for text in read:
        assert any(name == text or name.startswith(f"{text}.") for name in names), f"{stage} reads {text} undeclared"


def _reads(path: Path) -> set[str]:
    """The names in ``params["x"]`` and ``params.row(f"x.{key}")`` calls, with every placeholder written ``${key}``."""
    reads = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Subscript) and _is_params(node.value):
            reads.add(_text(node.slice))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "row":
            reads.add(_text(node.args[0]))
    return reads


def _is_params(node: ast.expr) -> bool:
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "declared"
    return called or (isinstance(node, ast.Name) and node.id == "params")


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "${key}" for part in node.values)
    assert isinstance(node, ast.Constant), f"a computed params name: {ast.dump(node)}"
    return str(node.value)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_checks_the_runtime_its_bytes_depend_on(stage: str) -> None:
    code = closure(script(stage))
    runtime = {name.removeprefix("runtime.") for name in body(stage).get("params", []) if name.startswith("runtime.")}
    if "pipeline/runtime/determinism.py" in code:
        assert {"python", "torch", "threads"} <= runtime
    if any("pq.write_table" in text or "pq.ParquetWriter" in text for text in map(_source, code)):
        assert {"python", "pyarrow"} <= runtime
    assert ("precision" in runtime) == ("pipeline/training/autocast.py" in code)
    assert not runtime or "pipeline/core/versions.py" in code


def _source(path: str) -> str:
    return (ROOT / path).read_text()


def test_a_stage_that_reads_nothing_of_its_row_needs_no_key() -> None:
    assert declared("describe", root=ROOT).leaves.keys() == {"runtime.pyarrow", "runtime.python"}


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
    (tmp_path / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    (tmp_path / "params.yaml").write_text(params(scale))
    tree = yaml.safe_load(params(scale))
    for stage, entry in STAGES.items():
        keys = tree[entry["foreach"].strip("${}")] if "foreach" in entry else [None]
        for key in keys:
            assert declared(stage, key, tmp_path).leaves is not None
    assert tree["scale"] == scale


def test_our_reading_of_params_is_dvcs() -> None:
    from dvc.repo import Repo

    with Repo(str(ROOT)) as repo:
        for address in ("train@voc-fcn16s", "convert@voc", "convolutionalize@vgg16"):
            theirs: dict[str, Any] = {}
            for dep in repo.stage.load_one(name=address).params:
                theirs |= dep.read_params(flatten=True)
            assert declared(*address.split("@"), ROOT).leaves == theirs


def test_no_params_leaf_that_dvc_forgets() -> None:
    """DVC's run-cache key drops leaves named ``size`` and ``nfiles`` inside a declared group (treeverse/dvc#10296)."""
    text = yaml.safe_dump(PARAMS)
    assert not re.search(r"^\s*(size|nfiles):", text, re.MULTILINE)


def test_python_caches_are_no_dependency() -> None:
    ignored = (ROOT / ".dvcignore").read_text().splitlines()
    assert {"__pycache__/", "*.pyc"} <= set(ignored)
