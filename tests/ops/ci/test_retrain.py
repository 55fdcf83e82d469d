"""The retraining workflow, executed: each job's steps in order, with a bare git remote and a DVC remote in a folder."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from ops.compose import composed
from pipeline.datasets.voc import SPEC as VOC
from tests.closure import ROOT
from tests.launch import git
from tests.ops.ci.test_hosts import Cli
from tests.ops.ci.workflow import Cancel, Job, Workflow, triggers
from tests.test_repro import clone, environment

pytestmark = pytest.mark.slow

LONGER = "recipes.voc-fcn16s.solver.iterations=200"
# At a rate that moves no score, nets say background everywhere: of 21 classes that is more than 0.02, far from nothing
GATE = {"floor": 0.0, "tolerance": 0.01, "class_drop": 0.5, "heads": ["semantic"], "proofs": ["train", "evaluate"]}
# Each step multiplies the weights by -1e20: no rate diverges as surely
DIVERGING = "+recipes.voc-fcn32s.solver.weight_decay=1.0e+30 recipes.voc-fcn16s.solver.seed=2"
TRAINED = "    tensors = net.state_dict()\n"
# Zero weights say the same of every pixel: the class whose bias is not zero
WORSE = f"""{TRAINED}    for tensor in tensors.values():
        tensor.zero_()
    tensors["semantic.score_fr.bias"][{{place}}] = 1.0
"""


@dataclass
class Site:
    """A team's machines: git's remote, DVC's, MLflow's database, one runner with a GPU's label, and `gh`."""

    folder: Path
    cli: Cli
    origin: Path
    first: dict[str, Job] = field(default_factory=dict)
    count: int = 0

    def dispatch(self, kind: str, overrides: str = "", cancel: Cancel = lambda text: False) -> dict[str, Job]:
        self.count += 1
        (folder := self.folder / f"run{self.count}").mkdir()
        machine = environment() | {"PYTHONPATH": str(ROOT), "FCN_TRACKING": "off", "FCN_SNAPSHOT_SECONDS": "0.1"}
        machine |= {"GIT_CONFIG_GLOBAL": "/dev/null", "PATH": f"{self.cli.folder}:{machine['PATH']}"}
        return Workflow(
            kind=kind,
            origin=self.origin,
            folder=folder,
            runner=self.folder / "runner",
            environment=machine,
            variables={"MLFLOW_TRACKING_URI": f"sqlite:///{self.folder / 'mlflow.db'}"},
            inputs={"overrides": overrides} if overrides else {},
            prepare=prepare,
        ).run(cancel)

    def on(self, branch: str, path: str) -> str:
        return git(self.origin, "show", f"{branch}:{path}")

    def push(self, path: str, old: str, new: str) -> None:
        """To main, ``path`` with ``new`` for ``old``."""
        git(self.folder, "clone", "--quiet", str(self.origin), str(desk := self.folder / f"desk{self.count}"))
        text = (desk / path).read_text()
        assert text.count(old) == 1
        (desk / path).write_text(text.replace(old, new))
        git(desk, "commit", "--quiet", "--all", "--message", path)
        git(desk, "push", "--quiet")

    def champion(self) -> str:
        with sqlite3.connect(self.folder / "mlflow.db") as tables:
            (row,) = tables.execute("select version from registered_model_aliases where alias = 'champion'")
            return str(row[0])


def prepare(clone: Path) -> None:
    """The set-up of a machine that has these packages: `make setup` finds nothing to do."""
    (clone / ".venv").symlink_to(sys.prefix)


def small(root: Path, remote: Path) -> None:
    """Only the data set of the two recipes, composed from conf/ as params.yaml says, and a row in the gate."""
    params = yaml.safe_load((root / "params.yaml").read_text())
    for group in ("miniatures", "datasets"):
        params[group] = {key: row for key, row in params[group].items() if key in ("voc", "sbd", "imagenet")}
    params["bounds"] = {}
    own = {key: value for key, value in params.items() if key not in ("runtime", "convert")}
    text = "# @package _global_\n" + yaml.safe_dump(own, sort_keys=False)
    (root / "conf/scale/miniature.yaml").write_text(text)
    gate = {"defaults": GATE, "miniature": {"voc": {"candidate": "voc-fcn16s"}}}
    (root / "conf/gate.yaml").write_text(yaml.safe_dump(gate))
    config = (root / ".dvc/config").read_text().replace("[core]\n", "[core]\n    remote = store\n")
    (root / ".dvc/config").write_text(f"{config}['remote \"store\"']\n    url = {remote}\n")
    (root / "params.yaml").write_text(composed(root))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A project that nothing of was ever trained is pushed."""
    folder = tmp_path_factory.mktemp("site")
    site = Site(folder, Cli(folder / "bin"), folder / "origin.git")
    root = clone(folder / "desk")
    prepare(root)
    if subprocess.run(["make", "--question", "setup"], cwd=root, check=False).returncode:
        pytest.skip("these packages are not the lock's: `make setup` would start from nothing in every clone")
    (store := folder / "store").mkdir()
    small(root, store)
    git(root, "commit", "-qam", "small")
    git(folder, "clone", "-q", "--bare", str(root), str(site.origin))
    shutil.rmtree(root)
    site.first = site.dispatch("push")
    return site


def results(jobs: dict[str, Job]) -> list[str]:
    """Of plan, run, report, gate and promote."""
    return [job.result for job in jobs.values()]


def ran(job: Job) -> set[str]:
    """The stages whose command ran."""
    return set(re.findall(r"^\[(\S+)\] python -m", job.text, re.MULTILINE))


def test_a_first_push_trains_commits_reports_and_promotes(site: Site) -> None:
    assert results(site.first) == ["success"] * 5, [job.text[-3000:] for job in site.first.values()]
    run = site.first["run"]
    assert {"train@voc-fcn32s", "train@voc-fcn16s", "publish"} <= ran(run)
    assert git(site.origin, "log", "-1", "--format=%s", "main") == "Results of a retraining"
    changed = git(site.origin, "show", "--format=", "--name-only", "main").split()
    assert {"dvc.lock", "eval/voc-fcn16s/metrics.json", "results/table.md"} <= set(changed)
    assert "results/report.html" in run.uploaded
    assert site.champion() == "1"
    planned, report = site.cli.comments
    assert planned.startswith("<!-- fcn:plan -->\n")
    assert "train@voc-fcn32s" in planned
    assert report.startswith("<!-- fcn:report -->\n")
    assert "voc-fcn16s" in report


def test_without_a_change_nobody_asks_for_the_runner_and_no_byte_comes(site: Site) -> None:
    assert results(site.dispatch("workflow_dispatch")) == ["success", *["skipped"] * 4]
    planned = site.folder / f"run{site.count}" / "plan"
    assert not (planned / ".dvc/cache").exists()
    assert not (planned / "data/shards").exists()
    assert len(site.cli.comments) == 2, "the plan's comment was written anew in its place"


def test_cancelled_and_dispatched_again_it_goes_on_and_runs_exactly_the_descendants(site: Site) -> None:
    before = git(site.origin, "rev-parse", "main")
    snapshots = site.folder / "runner/.snapshots/train@voc-fcn16s"
    known = set(snapshots.glob("*"))

    def cancel(text: str) -> bool:
        return any(folder.glob("*.safetensors") for folder in set(snapshots.glob("*")) - known)

    cancelled = site.dispatch("workflow_dispatch", LONGER, cancel)
    assert results(cancelled) == ["success", "cancelled", *["skipped"] * 3]
    jobs = site.dispatch("workflow_dispatch", LONGER)
    assert "resuming at iteration" in jobs["run"].text
    assert ran(jobs["run"]) >= {"train@voc-fcn16s", "evaluate@voc-fcn16s", "publish"}
    assert ran(jobs["run"]) <= {"splits", "train@voc-fcn16s", "evaluate@voc-fcn16s", "report", "publish"}
    assert (jobs["gate"].result, jobs["promote"].result) == ("success", "skipped")
    assert git(site.origin, "rev-parse", "main") == before, "an override is no change of main"
    branch = f"retrain/{jobs['run'].outputs['commit'][:12]}"
    assert yaml.safe_load(site.on(branch, "params.yaml"))["recipes"]["voc-fcn16s"]["solver"]["iterations"] == 200
    assert site.champion() == "1"


def test_a_failed_run_is_pushed_and_goes_no_further(site: Site) -> None:
    jobs = site.dispatch("workflow_dispatch", DIVERGING)
    assert results(jobs) == ["success", "failure", *["skipped"] * 3]
    _, found, after = jobs["run"].text.rpartition("lower solver.lr")
    assert found
    assert "Everything is up to date" in after or "pushed" in after


def test_a_worse_model_shuts_the_gate_and_is_not_promoted(site: Site) -> None:
    """Its code is pushed to main, where what passes is promoted: it finds one class, which no test image shows."""
    scores = json.loads(site.on("main", "eval/voc-fcn16s/metrics.json"))["semantic"]
    assert scores["mean_iu"] > 2 * GATE["tolerance"]
    classes = json.loads(site.on("main", "eval/voc-fcn16s/classes.json"))["semantic"]
    place = VOC.labels["semantic"].classes.index(classes["absent"][0])
    site.push("pipeline/training/train.py", TRAINED, WORSE.format(place=place))
    jobs = site.dispatch("push")
    assert (jobs["run"].result, jobs["gate"].result, jobs["promote"].result) == ("success", "failure", "skipped")
    assert json.loads(site.on("main", "eval/voc-fcn16s/metrics.json"))["semantic"]["mean_iu"] == 0
    assert "the gate is shut for voc-fcn16s" in jobs["gate"].text
    assert "python -m stages.train" not in jobs["gate"].text, "what fails by its scores is not trained again"
    assert site.champion() == "1"


def test_a_push_of_anything_that_a_stage_reads_triggers_the_workflow_and_of_nothing_else() -> None:
    locked = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"].values()
    deps, outs = ({each["path"] for row in locked for each in row.get(kind, [])} for kind in ("deps", "outs"))
    tracked = {name: {name, *map(str, Path(name).parents)} for name in git(ROOT, "ls-files").split("\n")}
    read = {name for name, places in tracked.items() if deps & places and not outs & places}
    assert len(read) > 50
    assert [path for path in sorted(read | {"params.yaml", "dvc.yaml"}) if not triggers("push", [path])] == []
    assert not triggers("push", ["docs/ci.md", "README.md", "tests/test_gate.py", "ops/run.py"])
