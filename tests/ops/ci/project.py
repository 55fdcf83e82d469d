"""A small DVC project whose scores are its learning rates."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

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


def sh(root: Path, *command: str) -> str:
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def params(root: Path, recipes: dict[str, float]) -> None:
    rows = "".join(f"  {key}: {{lr: {lr}}}\n" for key, lr in recipes.items())
    (root / "params.yaml").write_text(f"recipes:\n{rows}")


def repro(root: Path) -> None:
    sh(root, sys.executable, "-m", "dvc", "repro", "-q")


def commit(root: Path) -> None:
    sh(root, "git", "add", ".")
    sh(root, "git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "a")


def project(root: Path) -> Path:
    """Two recipes, evaluated and committed as main."""
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"evaluate": STAGE}}))
    (root / "evaluate.py").write_text(EVALUATE)
    sh(root, "git", "init", "-qb", "main")
    sh(root, sys.executable, "-m", "dvc", "init", "-q")
    params(root, {"voc-fcn16s": 0.3, "voc-fcn8s": 0.4})
    repro(root)
    commit(root)
    return root
