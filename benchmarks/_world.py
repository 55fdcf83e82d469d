"""A small clone of this repository in which real stages run in seconds, and the commands that are timed there."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ops.run import this_python
from pipeline.core.types import Refusal

ROOT = Path(__file__).parents[1]
EMPTY = ("pretrain", "backbones", "fusions", "recipes", "imports", "folders", "picks", "validations")


def command(root: Path, *words: str) -> None:
    """Run ``python -m words`` there, quietly and without MLflow. Raises Refusal with its last line where it fails."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "MLFLOW_"))}
    quiet = {"PYTHONPATH": str(root), "FCN_TRACKING": "off", "DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=root,
        env=this_python({**kept, **quiet}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["nothing"]
        raise Refusal(f"{' '.join(words)} exited {done.returncode} in {root}, saying: {said[-1]}")


def clone(to: Path) -> Path:
    """What is committed here, in a repository of its own, without data. Raises Refusal where this is none."""
    cloned = subprocess.run(
        ["git", "clone", "-q", "--no-hardlinks", ROOT, to], capture_output=True, text=True, check=False
    )
    if cloned.returncode:
        raise Refusal(f"{ROOT} cannot be cloned: {cloned.stderr.strip()}")
    return to


def small(to: Path, images: int) -> Path:
    """A clone of miniature VOC alone, from rendering on; without nets there is nothing to report or to publish."""
    root = clone(to)
    stages = yaml.safe_load((root / "dvc.yaml").read_text())
    del stages["stages"]["report"], stages["stages"]["publish"]
    (root / "dvc.yaml").write_text(yaml.safe_dump(stages, sort_keys=False))
    params = yaml.safe_load((root / "params.yaml").read_text())
    (root / "params.yaml").write_text(yaml.safe_dump(_only_voc(params, images), sort_keys=False))
    (root / "dvc.lock").unlink()
    command(root, "dvc", "repro", "-q")
    return root


def stages(root: Path) -> int:
    """How many stages dvc.yaml has there."""
    return len(yaml.safe_load((root / "dvc.lock").read_text())["stages"])


def _only_voc(params: dict[str, Any], images: int) -> dict[str, Any]:
    counts: Sequence[str] = [f"train={images}", f"val={images}", f"held_out={images}"]
    params["miniatures"] = {"voc": params["miniatures"]["voc"] | {"counts": counts}}
    expect = [f"train={images}", f"val={images}", f"seg11valid={images}"]
    params["datasets"] = {"voc": params["datasets"]["voc"] | {"expect": expect}}
    params["bounds"] = {"voc-seg11valid": params["bounds"]["voc-seg11valid"]}
    return params | {group: {} for group in EMPTY}
