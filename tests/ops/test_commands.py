"""``fcn`` and ``ops.compose`` themselves: they start fast, work in any folder of a clone, and refuse in one line."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from ops import compose, plan
from ops.ci.ci import OVERRIDES, override
from ops.plan import MAY_RUN, RESTORED, RUN, Plan, Step
from pipeline.core.types import Refusal
from stages.shared.dvc import stages
from tests.closure import ROOT
from tests.launch import fcn
from tests.ops.test_run import DIAMOND, project, run

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # DVC's, of its pygtrie
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
    assert_untouched(root)
    return done.output


def assert_untouched(root: Path) -> None:
    for name in ("params.yaml", "conf/config.yaml"):
        assert (root / name).read_text() == (ROOT / name).read_text()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("scale=papr", "did you mean 'paper'? there are authors, example,"),
        ("recipes.voc-fcn9s.solver.lr=1.0e-08", "there is no voc-fcn9s: did you mean 'voc-fcn8s'?"),
        ("recipes.voc-fcn8s.solver.weight_decay=1.0", "+recipes.voc-fcn8s.solver.weight_decay=1.0 adds it"),
        ("recipes.voc-fcn8s.solver.lr=fast", "voc-fcn8s.solver.lr is 'fast', in place of 4e-08: write a number"),
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
        row["solver"] |= {"iterations": 4, **({"milestones": 2} if "milestones" in row["solver"] else {})}
    for row in paper["picks"].values():
        row["at"] = 4
    differ = {key for key in paper.keys() | rehearsal.keys() if paper.get(key) != rehearsal.get(key)}
    assert differ == {"scale", "runtime", "iterations", "milestones", "miniatures", "downloads", "datasets", "pretrain"}
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
        assert "params.yaml: folders has a row" in fcn(*command, code=1).output, command
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
    assert_untouched(root)
    override(root, {OVERRIDES: "scale=mine"})
    assert (root / "conf/config.yaml").read_text() == (ROOT / "conf/config.yaml").read_text(), (
        "CI commits results alone"
    )


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that never ran, and its subfolder, where we are."""
    root = project(tmp_path / "bare", DIAMOND)
    (root / "sub").mkdir()
    monkeypatch.chdir(root / "sub")
    return root


def test_from_a_subfolder_the_clone_is_found_and_paths_mean_what_they_meant(bare: Path) -> None:
    (bare / "params.yaml").write_text("net: {lr: 1}\n")
    assert "5 run, 0 unchanged" in fcn("plan").output
    assert Path.cwd() == bare
    (bare / "results").mkdir()
    for name in ("report.html", "report.md"):
        (bare / "results" / name).touch()
    os.chdir(bare / "sub")
    said = fcn("report", "--out", "../results/x.html").output
    assert said.startswith(f"Error: {bare}/sub/../results/x.html is among the results")


def test_what_keeps_dvc_from_reading_is_one_line_with_its_remedy(bare: Path) -> None:
    (bare / "dvc.lock").write_text("<<<<<<< HEAD\n")
    remedy = "dvc.lock has a merge conflict: git checkout --ours dvc.lock (or --theirs), then fcn run\n"
    for verb in ("plan", "verify", "lineage fit", "gate fit", "gc"):
        assert fcn(*verb.split(), code=1).output.endswith(remedy)
    assert run(bare)[1].endswith("then fcn run\n")
    (bare / "dvc.lock").unlink()
    (bare / "params.yaml").write_text("a: [")
    said = fcn("plan", code=1).output
    assert said.startswith(f"Error: {bare}/params.yaml cannot be read (") and said.count("\n") == 1
    (bare / "params.yaml").write_text("net: {lr: 1}\n")
    shutil.rmtree(bare / ".git")
    remedy = "is not a git repository: git clone the project (a zip file has no .git), or git init\n"
    assert fcn("plan").output == f"Error: {bare} {remedy}"
    os.chdir(bare.parent)
    assert "not inside of a DVC repository" in fcn("plan", code=1).output


def test_help_imports_no_verb() -> None:
    script = "import sys; sys.argv[1:] = ['--help']; from ops.fcn import main; main(standalone_mode=False)"
    heavy = "assert not {'torch', 'mlflow', 'dvc', 'numpy', 'ops.run'} & {*sys.modules}"
    command = [sys.executable, "-c", f"{script}; {heavy}"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"verify", "ci", "run"} <= {line.split()[0] for line in said.stdout.splitlines() if line.strip()}


def test_a_plan_says_what_is_known_of_each_step() -> None:
    steps = (
        Step("train@a", RUN, ("lr 1 → 2", "x.py changed", "y.py changed", "z.py changed"), 246.0, 12_400_000),
        Step("evaluate@a", MAY_RUN, ("after train@a",), None, 0),
        Step("join", RESTORED, ("command changed",), 0.0, 999),
    )
    *lines, last = plan.lines(Plan(steps, 80))
    assert lines == [
        "run       train@a     about 4 min  12 MB to pull  lr 1 → 2, x.py changed, y.py changed, 1 more",
        "may run   evaluate@a  unknown                     after train@a",
        "restored  join                     999 B to pull  command changed",
    ]
    assert last == (
        "1 run, 1 restored, 1 may run, 80 unchanged; at least 4 min one after another, 1 stage never ran here; "
        "12 MB to pull"
    )


@pytest.mark.parametrize("place", ["/proc/x", "file", "file/x.html", "x" * 300, "/dev/null"])
@pytest.mark.parametrize("command", ["predict a.png", "export", "submit", "report"])
def test_where_nothing_can_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.tgz").mkdir()
    place = "file.tgz" if (command, place) == ("submit", "file") else place
    (tmp_path / "file").write_text("kept")
    done = fcn(*command.split(), "--out", place, code=1)
    assert done.output.startswith(f"Error: {place} "), done.output
    assert done.output.count("\n") == 1 and ": name another f" in done.output
    assert (tmp_path / "file").read_text() == "kept" and Path("/dev/null").is_char_device()
