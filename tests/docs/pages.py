"""Do what a page of docs/ says, block by block, in a small clone of the project where the pipeline ran already.

A fenced block that names a file is that file, or, where the file is there, rows for the ends of its groups. ``sh``
blocks must succeed. In a ``console`` block each shown line must come, ``…`` being anything, and of ``dvc repro`` every
stage and no other.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.closure import ROOT

BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
GROUP = r"^({name}):(?: {{}})?\n((?: .*\n|\n+(?= ))*)"  # its rows, and the empty lines between them
RUNNING = re.compile(r"Running stage '([^']+)'")
SCALE = "conf/scale/miniature.yaml"
KEPT = ("imagenet", "voc", "sbd", "vgg16", "voc-seg11valid", "voc-fcn32s")
SMALLER = {
    "train=150, val=15": "train=4, val=2",
    "train=60, val=150, held_out=100": "train=6, val=15, held_out=10",
    "train=600, val=20, held_out=100": "train=30, val=4, held_out=10",
    "train=60, val=150, seg11valid=100": "train=6, val=15, seg11valid=10",
    "train=600, val=20, validation=20]": "train=30, val=4, validation=4]",
    "batch: 32, iterations: 600": "batch: 8, iterations: 30",
    # at a higher rate hardly pretrained nets overflow
    "iterations: 2400, lr: 6.0e-8": "iterations: 8, lr: 1.0e-10",
}


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file it names (empty for none), its text."""

    kind: str
    path: str
    text: str


def blocks(page: str) -> list[Block]:
    """The blocks of docs/``page`` in order, whose language is one of those that are done."""
    found = (Block(*parts) for parts in BLOCK.findall((ROOT / "docs" / page).read_text(encoding="utf-8")))
    return [block for block in found if block.path or block.kind in ("sh", "console")]


def follow(page: str, root: Path) -> None:
    """Do all that docs/``page`` says in ``root``, and look for what it says comes."""
    for block in blocks(page):
        if block.path:
            place(root / block.path, block.text)
        elif block.kind == "sh":
            shell(root, f"set -e\n{block.text}")
        else:
            for exchange in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
                command, _, shown = exchange.partition("\n")
                check(command, shown, shell(root, command))


def place(path: Path, text: str) -> None:
    """Write the file, or where it is there add to the end of each group the rows that ``text`` has under its name."""
    if not path.exists():
        path.write_text(text, encoding="utf-8")
        return
    whole = path.read_text(encoding="utf-8")
    for name, rows in re.findall(GROUP.format(name=r"\w+"), text, re.MULTILINE):
        whole, found = re.subn(
            GROUP.format(name=name), lambda group, new=rows: f"{group[1]}:\n{group[2]}{new}", whole, flags=re.MULTILINE
        )
        assert found == 1, f"{path} has no group {name}"
    path.write_text(whole, encoding="utf-8")


def check(command: str, shown: str, came: str) -> None:
    """That each line ``shown`` under ``command`` came."""
    for line in filter(None, map(str.strip, shown.splitlines())):
        pattern = ".*".join(map(re.escape, line.split("…")))
        assert re.search(pattern, came), f"$ {command}\ndoes not show {line!r} but\n{came[-6000:]}"
    if "dvc repro" in command:
        assert set(RUNNING.findall(came)) == set(RUNNING.findall(shown)), f"$ {command}\n{came[-6000:]}"


def shell(root: Path, command: str) -> str:
    """What ``bash -c command`` prints in ``root``, to stdout and stderr; it must succeed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "MLFLOW_", "FCN_MIRROR"))}
    path = f"{Path(sys.executable).parent}:{kept['PATH']}"
    mine = {"PATH": path, "PYTHONPATH": str(root), "DVC_NO_ANALYTICS": "1", "COLUMNS": "200"}
    bash = ["bash", "-c", command]
    done = subprocess.run(bash, cwd=root, env=kept | mine, stdout=-1, stderr=-2, text=True, check=False)
    assert done.returncode == 0, f"$ {command}\nexit {done.returncode}\n{done.stdout[-6000:]}"
    return done.stdout


def copied(to: Path) -> Path:
    """The working tree as git would commit it, without results, as a repository in ``to``."""
    listed = subprocess.check_output(["git", "ls-files", "-zco", "--exclude-standard"], cwd=ROOT, text=True)
    for name in listed.split("\0"):
        if name and name != "dvc.lock" and not name.startswith(("eval/", "results/")) and (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            (to / name).write_bytes((ROOT / name).read_bytes())
    shell(to, "git init -qb main && git config user.name t && git config user.email t@localhost")
    return to


def small(to: Path) -> Path:
    """``copied``, its miniature ``cut``, run once and committed."""
    copied(to)
    (to / SCALE).write_text(cut((to / SCALE).read_text()))
    shell(to, "python -m ops.compose && git add -A && git commit -qm small")
    shell(to, "fcn run --jobs 2 leaks report && git add -A && git commit -qm ran")
    return to


def cut(scale: str) -> str:
    """The miniature's text with ``KEPT``'s rows alone, and few images and iterations."""
    for group in yaml.safe_load(scale).values():
        for key in group if isinstance(group, dict) else ():
            if key not in KEPT:
                scale = re.sub(rf"^  {re.escape(key)}:.*\n(?:^ {{3,}}.*\n)*", "", scale, flags=re.MULTILINE)
    scale = re.sub(r"^(\w+):\n(?=\w|#|\n|\Z)", r"\1: {}\n", scale, flags=re.MULTILINE)
    for before, after in SMALLER.items():
        assert before in scale, before
        scale = scale.replace(before, after)
    return scale
