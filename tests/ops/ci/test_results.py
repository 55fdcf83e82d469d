"""Of a retraining, results alone are committed, when every stage ran; and the request is told what changed."""

import json
import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ops.ci.ci import read, report
from pipeline.changes import State, describe
from pipeline.core.types import Refusal
from tests.launch import fcn, git
from tests.ops.test_run import dvc, project

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # DVC's, of its pygtrie
STAGE = {
    "foreach": "${recipes}",
    "do": {
        "cmd": f"{sys.executable} evaluate.py ${{key}}",
        "deps": ["evaluate.py"],
        "params": ["recipes.${key}.lr"],
        "metrics": [{"eval/${key}/metrics.json": {"cache": False}}],
    },
}
EVALUATE = """
import json, sys, pathlib, re
recipe = sys.argv[1]
lr = float(re.search(recipe + r": \\{lr: ([\\d.]+)", pathlib.Path("params.yaml").read_text())[1])
pathlib.Path("eval", recipe).mkdir(parents=True, exist_ok=True)
scores = {"mean_iu": lr, "pixel_acc": 0.8, "iu": {"cat": lr, "dog": 1 - lr, "cow": None}, "absent": ["cow"]}
metrics = {"semantic": scores, "images": 2, "ids_sha256": "abc", "scale": "miniature"}
pathlib.Path("eval", recipe, "metrics.json").write_text(json.dumps(metrics))
"""


def params(root: Path, recipes: dict[str, float]) -> None:
    rows = "".join(f"  {key}: {{lr: {lr}}}\n" for key, lr in recipes.items())
    (root / "params.yaml").write_text(f"recipes:\n{rows}")


def commit(root: Path) -> None:
    git(root, "add", ".")
    git(root, "commit", "-qm", "a")


def evaluated(root: Path) -> Path:
    """Two recipes, evaluated and committed as main."""
    project(root, {"evaluate": STAGE})
    (root / "evaluate.py").write_text(EVALUATE)
    params(root, {"voc-fcn16s": 0.3, "voc-fcn8s": 0.4})
    dvc(root, "repro", "-q")
    commit(root)
    return root


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of origin's main, with a new lr that is committed and not run yet; entered."""
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "origin.git")
    root = evaluated(tmp_path / "clone")
    params(root, {"voc-fcn16s": 0.3, "voc-fcn8s": 0.5})
    commit(root)
    git(root, "remote", "add", "origin", str(tmp_path / "origin.git"))
    git(root, "push", "-q", "origin", "main")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.chdir(root)
    return root


def branches(root: Path) -> dict[str, str]:
    listed = git(root, "ls-remote", "--heads", "origin").splitlines()
    return {name.removeprefix("refs/heads/"): commit for commit, name in (line.split("\t") for line in listed)}


def test_results_of_all_stages_alone_go_to_the_branch_that_was_retrained_and_start_nothing(root: Path) -> None:
    before = branches(root)
    assert fcn("ci", "commit").stderr == "Error: evaluate@voc-fcn8s did not run: fcn ci run first\n"
    dvc(root, "repro", "-q")
    (root / "evaluate.txt").write_text("a note")
    assert "evaluate.txt differs from the commit, and no stage writes it" in fcn("ci", "commit").stderr
    assert branches(root) == before
    (root / "evaluate.txt").unlink()
    done = fcn("ci", "commit", code=0)
    head = git(root, "rev-parse", "HEAD")
    assert branches(root) == {"main": head}
    assert f"commit={head}\n" in done.stdout
    assert "[skip ci]" in git(root, "log", "-1", "--format=%B")
    changed = git(root, "show", "--format=", "--name-only").split()
    assert changed == ["dvc.lock", "eval/voc-fcn8s/metrics.json"]


def test_where_the_branch_has_moved_on_results_go_beside_it(root: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "origin.git", "other")
    (tmp_path / "other/README").write_text("meanwhile")
    commit(tmp_path / "other")
    git(tmp_path / "other", "push", "-q")
    moved = branches(root)["main"]
    dvc(root, "repro", "-q")
    fcn("ci", "commit", code=0)
    head = git(root, "rev-parse", "HEAD")
    assert branches(root) == {"main": moved, f"retrain/{head[:12]}": head}


def scored(lr: float, ids: str = "abc") -> dict[str, object]:
    """As ``EVALUATE`` writes."""
    scores = {"mean_iu": lr, "pixel_acc": 0.8, "iu": {"cat": lr, "dog": 1 - lr, "cow": None}}
    return {"semantic": scores, "ids_sha256": ids, "scale": "miniature"}


def test_scores_classes_params_and_stages_of_what_changed_alone() -> None:
    then = State({"voc-fcn16s": scored(0.3), "voc-fcn8s": scored(0.4)}, {"lr": "0.4"}, {"train": 1, "same": 2})
    new = {"voc-fcn16s": scored(0.3), "voc-fcn8s": scored(0.4625), "voc-fcn4s": scored(0.5)}
    text = describe("main", then, State(new, {"lr": "0.4625", "seed": "1"}, {"train": 3, "same": 2, "new": 4}))
    assert re.sub(r" +\|", " |", re.sub(r"-+\|", "-|", text)) == (
        """## What changed since `main`

| recipe | mean IU | points | pixel acc. | published mean IU |
|-|-|-|-|-|
| voc-fcn8s | 40.0 → 46.2 | +6.2 | 80.0 | 65.5 |
| voc-fcn4s | 50.0 | new | 80.0 | – |

In percent. Recipes that score as before: 1.

**Classes whose IU fell by more than 5 points**

- voc-fcn8s, dog: 60.0 → 53.8

**Params**

- `lr`: 0.4 → 0.4625
- `seed`: – → 1

**Stages that ran**

- `train`
- `new`"""
    )
    other = describe("main", then, State({"voc-fcn16s": scored(0.2, "def")}, {str(n): "" for n in range(30)}, {}))
    assert re.search(r"\| voc-fcn16s +\| 30.0 → 20.0 +\| other images +\|", other)
    assert re.search(r"\| voc-fcn8s +\| 40.0 → – +\| gone +\|", other)
    assert "Classes" not in other
    assert "<details><summary>Params: 31</summary>\n\n- `" in other, "a long list is folded"


def test_the_comment_points_to_pictures_and_runs_and_keeps_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root := evaluated(tmp_path))
    (root / "eval/voc-fcn16s/metrics.json").write_text(json.dumps(scored(0.2)))
    gitlab = {"GITLAB_CI": "true", "CI_PROJECT_ID": "5", "CI_COMMIT_REF_NAME": "lr", "CI_PIPELINE_URL": "https://lab/9"}
    more = {"FCN_BASE": "main", "PATH": "/nowhere", "MLFLOW_TRACKING_URI": "https://ada:s3cret@mlflow.example"}
    done = CliRunner().invoke(report, env={"GITHUB_ACTIONS": "", **gitlab, **more})
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("## What changed since `main`")
    assert "30.0 → 20.0" in done.stdout
    assert done.stdout.endswith("[this run](https://lab/9)\n\nRuns: https://mlflow.example\n")
    with pytest.raises(Refusal, match="unknown Git revision 'nowhere': git fetch"):
        read(root, "nowhere")
