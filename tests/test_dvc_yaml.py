"""dvc.yaml tells the truth: a stage depends on folders that hold the code it imports, and on the params it reads."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from ruamel.yaml import YAML

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
    text = path.read_text()
    found = re.findall(r'\b(?:params|declared\(.*\))\[f?"(.+?)"\]', text)
    assert len(found) == len(re.findall(r"\b(?:params|declared\(.*\))\[", text)), f"a computed name in {path}"
    return {re.sub(r"\{.+?\}", "${key}", name) for name in found}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_checks_the_versions_its_bytes_depend_on(stage: str) -> None:
    texts = {path: (ROOT / path).read_text() for path in closure(script(stage))}
    names = body(stage).get("params", [])
    assert ("runtime" in names) == ("pipeline/determinism.py" in texts)
    if any("pq.write_table" in text or "pq.ParquetWriter" in text for text in texts.values()):
        assert {"parquet", "parquet.pyarrow"} & set(names)
        assert 'versions.check("parquet"' in texts[script(stage)]


def test_params_are_the_composed_default() -> None:
    assert (ROOT / "params.yaml").read_text() == composed(ROOT), "run `make params`"


@pytest.mark.parametrize("scale", SCALES)
def test_every_scale_fills_what_stages_read_alike_in_both_yaml_dialects(scale: str, tmp_path: Path) -> None:
    """DVC reads YAML 1.2, where 1e-10 is a number; PyYAML reads 1.1, where it is a text."""
    text, said = params(scale), yaml.safe_load((ROOT / f"conf/scale/{scale}.yaml").read_text())
    found = yaml.safe_load(text)
    assert YAML(typ="safe").load(text) == found
    assert found["scale"] == scale
    assert said.get("runtime", {}).items() <= found["runtime"].items()
    assert not re.search(r"^\s*(size|nfiles):", text, re.MULTILINE), "DVC's run cache forgets such (dvc#10296)"
    for address in laid(scale, tmp_path):
        assert declared(address, tmp_path).leaves is not None


def test_our_reading_of_deps_and_params_is_dvcs() -> None:
    from dvc.repo import Repo

    with Repo(str(ROOT)) as repo:
        for address in ("train@voc-fcn16s", "convert@voc", "convolutionalize@vgg16", "publish"):
            loaded, theirs = repo.stage.load_one(name=address), {}
            for dep in loaded.params:
                theirs |= dep.read_params(flatten=True)
            assert declared(address, ROOT).leaves == flat(theirs)
            deps = {Path(dep.fs_path).relative_to(ROOT).as_posix() for dep in loaded.deps}
            assert set(stages(ROOT)[address].deps) == deps - {"params.yaml"}


def test_python_caches_are_no_dependency() -> None:
    ignored = (ROOT / ".dvcignore").read_text().splitlines()
    assert {"__pycache__/", "*.pyc"} <= set(ignored)
