"""What a retraining changed, told of a real DVC project: scores, classes, params, stages."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from ops.ci.report import describe, main, read
from pipeline.core.types import Refusal
from tests.ops.ci.project import params, project, repro


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Since main, one recipe's lr was raised, and a third recipe came."""
    root = project(tmp_path_factory.mktemp("project"))
    params(root, {"voc-fcn16s": 0.3, "voc-fcn8s": 0.4625, "voc-fcn4s": 0.5})
    repro(root)
    return root


def described(root: Path) -> str:
    return describe("main", read(root, "main"), read(root))


def test_scores_classes_params_and_stages_of_what_changed_alone(root: Path) -> None:
    assert re.sub(r" +\|", " |", re.sub(r"-+\|", "-|", described(root))) == (
        """## What changed since `main`

| recipe | mean IU | points | pixel acc. | published mean IU |
|-|-|-|-|-|
| voc-fcn8s | 40.0 → 46.2 | +6.2 | 80.0 | 65.5 |
| voc-fcn4s | 50.0 | new | 80.0 | – |

In percent. Recipes that score as before: 1.

**Classes whose IU fell by more than 5 points**

- voc-fcn8s, dog: 60.0 → 53.8

**Params**

- `recipes.voc-fcn8s.lr`: 0.4 → 0.4625
- `recipes.voc-fcn4s.lr`: – → 0.5

**Stages that ran**

- `evaluate@voc-fcn8s`
- `evaluate@voc-fcn4s`"""
    )


def test_other_images_are_no_better_or_worse_ones_and_what_is_gone_is_told(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(root, other)
    metrics = other / "eval/voc-fcn16s/metrics.json"
    metrics.write_text(metrics.read_text().replace("abc", "def"))
    shutil.rmtree(other / "eval/voc-fcn8s")
    text = described(other)
    assert re.search(r"\| voc-fcn16s +\| 30.0 +\| other images +\|", text)
    assert re.search(r"\| voc-fcn8s +\| 40.0 → – +\| gone +\|", text)
    assert "Classes" not in text


def test_a_long_list_is_folded(root: Path, tmp_path: Path) -> None:
    many = tmp_path / "many"
    shutil.copytree(root, many)
    params(many, {f"voc-fcn{stride}s": 0.1 for stride in range(100, 130)})
    assert "<details><summary>Params: 32</summary>\n\n- `recipes." in described(many)


def test_a_base_that_git_does_not_know_is_refused(root: Path) -> None:
    with pytest.raises(Refusal, match="unknown Git revision 'nowhere': git fetch"):
        read(root, "nowhere")


def test_the_comment_points_to_pictures_and_runs_and_keeps_no_password(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    gitlab = {"GITLAB_CI": "true", "CI_PROJECT_ID": "5", "CI_COMMIT_REF_NAME": "lr", "CI_PIPELINE_URL": "https://lab/9"}
    more = {"FCN_BASE": "main", "PATH": "/nowhere", "MLFLOW_TRACKING_URI": "https://ada:s3cret@mlflow.example"}
    done = CliRunner().invoke(main, env={"GITHUB_ACTIONS": "", **gitlab, **more})
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("## What changed since `main`")
    assert done.stdout.endswith("[this run](https://lab/9)\n\nRuns: https://mlflow.example\n")
