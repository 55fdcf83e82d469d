"""params.yaml is composed from conf/, and what no stage or no shell should see is refused before it is written."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from ops import compose
from ops.ci.ci import OVERRIDES, override
from ops.fcn import main
from pipeline.core.types import Refusal
from stages.shared.dvc import stages
from tests.closure import ROOT

OWN = """# @package _global_
folders:
  {key}:
    {{root: mine, images: "*.jpg", labels: "*.png", encoding: index, classes: [a, b], splits: [train=1]}}
recipes:
  own:
    net: {{backbone: vgg16, init: weights/vgg16-fcn.safetensors, stride: 8, mean: measured}}
    data: {{shards: leaves, split: train}}
    solver: {{iterations: 4, lr: 3.0e-8, momentum: 0.9}}
    evaluate: {{shards: leaves, split: train}}
"""


@pytest.fixture
def root(conf_alone: Path) -> Path:
    """With a scale of just a row and a recipe."""
    (conf_alone / "conf/scale/mine.yaml").write_text(OWN.format(key="leaves"))
    return conf_alone


def refused(root: Path, *overrides: str) -> str:
    """The one line, of the desk's command and of CI's; nothing is written."""
    done = CliRunner().invoke(compose.main, overrides)
    assert (done.exit_code, done.output.count("\n")) == (1, 1), done.output
    with pytest.raises(Refusal) as slip:
        override(root, {OVERRIDES: " ".join(f"'{each}'" for each in overrides)})
    assert done.output == f"Error: {slip.value}\n"
    for name in ("params.yaml", "conf/config.yaml"):
        assert (root / name).read_text() == (ROOT / name).read_text()
    return done.output


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("scale=papr", "did you mean 'paper'? there are authors, example,"),
        ("recipes.voc-fcn9s.solver.lr=1.0e-08", "there is no voc-fcn9s: did you mean 'voc-fcn8s'?"),
        ("recipes.voc-fcn8s.solver.weight_decay=1.0", "+recipes.voc-fcn8s.solver.weight_decay=1.0 adds it"),
        (
            "recipes.voc-fcn8s.solver.lr=fast",
            "recipes.voc-fcn8s.solver.lr is 'fast', in place of 4e-08: write a number",
        ),
        ("+recipes.voc-fcn8s.solver.weight_decay=no", "solver.weight_decay is 'no': write a number"),
        ("recipes.voc-fcn8s.solver.lr=-1.0", "it must be greater than 0"),
        ("recipes.voc-fcn8s.solver=3", "it must be a map of iterations, lr"),
        ("recipes.voc-fcn8s=null", "params.yaml lacks recipes.voc-fcn8s."),
        ("recipes=3", "recipes is 3: write a map"),
        ("runtime.threads=1.5", "in place of 1: write a whole number"),
        ("recipes.voc-fcn8s.net.init=runs/voc-fcn15s/model.safetensors", "did you mean 'runs/voc-fcn16s/model"),
        ("recipes.voc-fcn8s.net.backbone=vgg17", "reads pipeline/backbones/vgg17.py, which is not here, and no stage"),
        ("recipes.voc-fcn8s.evaluate.split=a b", "is 'a b', which a shell would read"),
        ("runtime.launch=python -c x|sh", "runtime.launch of train@voc-fcn32s is 'python -c x|sh'"),
        ("lr=$(touch pwned)", "there is no lr"),
        ("recipes.voc-fcn8s.solver.lr", "missing EQUAL"),
    ],
)
def test_a_slip_is_one_line_with_its_remedy(root: Path, text: str, reason: str) -> None:
    assert reason in refused(root, text)
    assert not (root / "pwned").exists()


def test_a_rehearsal_has_all_of_the_papers_rows_and_only_fewer_iterations_and_pictures() -> None:
    """What is new in scale paper is rehearsed unasked: a row that says a plain number of iterations fails here."""
    paper, rehearsal = (yaml.safe_load(compose.composed(ROOT, [f"scale={name}"])) for name in ("paper", "rehearsal"))
    assert {row["solver"]["iterations"] for row in rehearsal["recipes"].values()} == {4}
    for row in paper["recipes"].values():
        row["solver"]["iterations"] = 4
    differ = {key for key in paper.keys() | rehearsal.keys() if paper.get(key) != rehearsal.get(key)}
    assert differ == {"scale", "runtime", "iterations", "miniatures", "downloads", "datasets", "pretrain"}
    assert rehearsal["miniatures"].keys() - {"imagenet"} == rehearsal["datasets"].keys() == paper["datasets"].keys()
    assert rehearsal["pretrain"].keys() == rehearsal["backbones"].keys()


@pytest.mark.parametrize("key", ["v1.2", "my leaves", "x;touch F", "$(x)", "--help", "a/b", "..", "2024", "yes"])
def test_a_rows_name_reaches_no_shell_unless_it_is_a_plain_word(root: Path, key: str) -> None:
    text = OWN.format(key=key if key in ("2024", "yes") else f'"{key}"')
    (root / "conf/scale/mine.yaml").write_text(text)
    assert "params.yaml: folders has a row" in refused(root, "scale=mine")
    params = yaml.safe_load((root / "params.yaml").read_text())
    (root / "params.yaml").write_text(yaml.safe_dump(params | {"folders": yaml.safe_load(text)["folders"]}))
    (root / ".dvc").mkdir()
    (root / ".dvc/config").write_text("[core]\n    no_scm = true\n")
    for command in (["data", "check", "--", key], ["plan"], ["ci", "plan"]):
        done = CliRunner().invoke(main, command)
        assert "params.yaml: folders has a row" in done.output and done.exit_code == 1, (command, done.output)
    with pytest.raises(Refusal, match="folders has a row"):
        stages(root)


def test_a_scale_of_a_row_and_a_recipe_is_enough_and_dvc_exp_run_starts_from_it(root: Path) -> None:
    done = CliRunner().invoke(compose.main, ["scale=mine"])
    assert done.output == "conf/config.yaml says so now, too: `dvc exp run` starts there\n"
    known = stages(root)
    assert {"convert-folder@leaves", "pretrain@vgg16", "train@own", "evaluate@own"} <= set(known)
    assert "voc" not in (root / "params.yaml").read_text()
    outs = {out for stage in known.values() for out in stage.outs}
    assert [dep for dep in known["train@own"].deps if dep.startswith(("data/", "weights/")) and dep not in outs] == []
    assert compose.composed(root) == (root / "params.yaml").read_text(), "what a bare dvc exp run composes"
    assert "lr: 1.0e-09" in compose.composed(root, ["recipes.own.solver.lr=1.0e-9"])
    done = CliRunner().invoke(compose.main, ["recipes.own.solver.lr=1.0e-9"])
    assert done.output == "dvc exp run composes anew: give it -S 'recipes.own.solver.lr=1.0e-9', too\n"
    assert CliRunner().invoke(compose.main, ["scale=miniature"]).exit_code == 0
    for name in ("params.yaml", "conf/config.yaml"):
        assert (root / name).read_text() == (ROOT / name).read_text()
    override(root, {OVERRIDES: "scale=mine"})
    assert (root / "conf/config.yaml").read_text() == (ROOT / "conf/config.yaml").read_text(), (
        "CI commits results alone"
    )
