"""What a retraining changed, told of real DVC projects: scores, classes, params, stages, runs, pictures."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from ops.ci import _report
from ops.ci.report import main
from pipeline.core.types import Refusal
from pipeline.tracking.connect import connect
from stages._records import identity
from stages.shared.dvc import entries
from tests.tracking.servers import mlflow_server

STAGE = {
    "foreach": "${recipes}",
    "do": {
        "cmd": f"{sys.executable} evaluate.py ${{key}}",
        "deps": ["evaluate.py"],
        "params": ["recipes.${key}.lr"],
        "outs": ["eval/${key}/panels"],
        "metrics": [{"eval/${key}/metrics.json": {"cache": False}}],
    },
}
EVALUATE = """
import json, sys, pathlib, re
recipe = sys.argv[1]
lr = float(re.search(recipe + r": \\{lr: ([\\d.]+)", pathlib.Path("params.yaml").read_text())[1])
folder = pathlib.Path("eval", recipe)
(folder / "panels").mkdir(parents=True)
for name in ("00-a.png", "01-b.png"):
    (folder / "panels" / name).write_bytes(b"\\x89" + f"{recipe} {lr} {name}".encode())
scores = {"mean_iu": lr, "pixel_acc": 0.8, "iu": {"cat": lr, "dog": 1 - lr, "cow": None}, "absent": ["cow"]}
told = {"semantic": scores, "images": 2, "ids_sha256": "abc", "scale": "miniature"}
(folder / "metrics.json").write_text(json.dumps(told))
"""
MLFLOW = ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")


def sh(root: Path, *command: str) -> str:
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


def repro(root: Path, recipes: dict[str, float]) -> None:
    rows = "".join(f"  {key}: {{lr: {lr}}}\n" for key, lr in recipes.items())
    (root / "params.yaml").write_text(f"recipes:\n{rows}")
    sh(root, sys.executable, "-m", "dvc", "repro", "-q")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recipes were evaluated and committed as main; then one's lr was raised, and a third recipe came."""
    root = tmp_path_factory.mktemp("project")
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"evaluate": STAGE}}))
    (root / "evaluate.py").write_text(EVALUATE)
    (root / ".gitignore").write_text("/eval/*/panels/\n")
    sh(root, "git", "init", "-qb", "main")
    sh(root, sys.executable, "-m", "dvc", "init", "-q")
    repro(root, {"voc-fcn16s": 0.3, "voc-fcn8s": 0.4})
    sh(root, "git", "add", ".")
    sh(root, "git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "a")
    repro(root, {"voc-fcn16s": 0.3, "voc-fcn8s": 0.4625, "voc-fcn4s": 0.5})
    return root


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*MLFLOW, "GITHUB_ACTIONS", "GITLAB_CI", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)


def test_scores_classes_params_stages_and_pictures_of_what_changed_alone(project: Path) -> None:
    pictures = _report.chosen(project, "main")
    names = {re.sub(r"-[0-9a-f]{8}\.png", "", name): name for name in pictures}
    before, after, new = (names.pop(f"voc-{each}") for each in ("fcn8s-before", "fcn8s-after", "fcn4s-after"))
    assert not names
    assert pictures[before] == b"\x89voc-fcn8s 0.4 00-a.png"
    assert pictures[after] == b"\x89voc-fcn8s 0.4625 00-a.png"
    told = _report.report(project, "main", "https://host/raw")
    assert re.sub(r" +\|", " |", re.sub(r"-+\|", "-|", told)) == (
        f"""## What changed since `main`

| recipe | mean IU | points | pixel acc. | published mean IU |
|-|-|-|-|-|
| voc-fcn8s | 40.0 → 46.2 | **+6.2** | 80.0 | 65.5 |
| voc-fcn4s | 50.0 | new | 80.0 | – |

In percent. One recipe scores as before.

<details><summary>Classes whose IU fell by more than 5 points: 1</summary>

- voc-fcn8s, dog: 60.0 → 53.8

</details>

Image, label, prediction and error:

| recipe | before | after |
|-|-|-|
| voc-fcn8s | ![voc-fcn8s-before](https://host/raw/{before}) | ![voc-fcn8s-after](https://host/raw/{after}) |
| voc-fcn4s | – | ![voc-fcn4s-after](https://host/raw/{new}) |

**Params**

- `recipes.voc-fcn8s.lr`: 0.4 → 0.4625
- `recipes.voc-fcn4s.lr`: – → 0.5

**Stages that ran**

- `evaluate@voc-fcn8s`
- `evaluate@voc-fcn4s`
"""
    )


def test_other_images_are_no_better_or_worse_ones_and_what_is_gone_is_told(project: Path, tmp_path: Path) -> None:
    root = tmp_path / "other"
    shutil.copytree(project, root)
    for recipe in ("voc-fcn16s", "voc-fcn8s"):
        metrics = root / "eval" / recipe / "metrics.json"
        metrics.write_text(metrics.read_text().replace("abc", "def"))
    shutil.rmtree(root / "eval/voc-fcn8s")
    told = _report.report(root, "main", None)
    assert re.search(r"\| voc-fcn16s +\| 30.0 +\| other images +\|", told)
    assert re.search(r"\| voc-fcn8s +\| 40.0 → – +\| gone +\|", told)
    assert "Classes" not in told
    assert "before |" not in told
    assert any("voc-fcn16s-before" in name for name in _report.chosen(root, "main"))
    shutil.rmtree(root / ".dvc/cache")
    assert [name[:-13] for name in _report.chosen(root, "main")] == ["voc-fcn16s-after", "voc-fcn4s-after"]


def test_without_a_base_all_that_is_here_is_told(project: Path) -> None:
    told = _report.report(project, None, None)
    assert told.startswith("## Scores\n")
    assert re.search(r"\| voc-fcn16s +\| 30.0 +\| – +\| 80.0 +\| 65.0 +\|", told)
    assert "Params" not in told


def test_a_base_that_git_does_not_know_is_refused(project: Path) -> None:
    with pytest.raises(Refusal, match="git knows no revision nowhere: git fetch"):
        _report.report(project, "nowhere", None)
    with pytest.raises(Refusal, match="git knows no revision --all"):
        _report.chosen(project, "--all")


def test_the_job_leaves_text_and_pictures_where_the_host_shows_them(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, bare, summary = tmp_path / "here", tmp_path / "bare", tmp_path / "summary.md"
    shutil.copytree(project, root)
    sh(tmp_path, "git", "init", "-q", "--bare", str(bare))
    sh(root, "git", "remote", "add", "origin", str(bare))
    sh(root, "git", "push", "-q", "origin", "main")
    monkeypatch.chdir(root)
    told = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_REPOSITORY": "ada/fcn",
        "GITHUB_REF_NAME": "lr",
        "GITHUB_BASE_REF": "main",
    }
    for name, value in (told | {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_TOKEN": ""}).items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(main, ["--out", "report.md"])
    assert (done.exit_code, done.stdout) == (0, ""), done.output
    text = (root / "report.md").read_text()
    assert text.startswith("## What changed since `origin/main`")
    assert summary.read_text() == f"{text}\n"
    (shown,) = re.findall(r"https://github.com/ada/fcn/raw/ci-pictures/(lr/voc-fcn8s-after-\w+.png)", text)
    assert sh(bare, "git", "cat-file", "-s", f"ci-pictures:{shown}") == f"{len(b'x' + b'voc-fcn8s 0.4625 00-a.png')}\n"

    done = CliRunner().invoke(main, ["--base", "nowhere", "--out", "other.md"])
    assert done.exit_code == 1
    assert done.stderr == "Error: git knows no revision nowhere: git fetch --unshallow, or give another --base\n"
    assert not (root / "other.md").exists()


@pytest.mark.slow
def test_stages_link_to_their_runs_where_a_server_tells_of_them(
    project: Path, tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(tables, tmp_path / "mlflow.db")
    with mlflow_server(f"sqlite:///{tmp_path}/mlflow.db", str(tmp_path / "artifacts"), tmp_path) as url:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        client, experiment = connect(project)
        tags: dict[str, Any] = identity(entries(project)["evaluate@voc-fcn8s"])
        run = client.create_run(experiment, tags=tags)
        client.set_terminated(run.info.run_id)
        told = _report.report(project, "main", None)
        assert f"- [`evaluate@voc-fcn8s`]({url}/#/experiments/{experiment}/runs/{run.info.run_id})\n" in told
        assert "- `evaluate@voc-fcn4s`\n" in told
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url.replace("//", "//ada:s3cret@"))
        assert "s3cret" not in _report.report(project, "main", None)


def test_a_tracking_server_that_is_away_costs_the_links_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert "- `evaluate@voc-fcn8s`\n" in _report.report(project, "main", None)
    assert "no links to runs: MLflow at http://127.0.0.1:9 does not answer" in capsys.readouterr().err
