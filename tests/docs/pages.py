"""Do what a page of docs/ says, block by block, in a small clone of the project where the pipeline ran already.

A fenced block that names a file is that file, or, where the file is there, rows for it: each goes to the end of the
group that it stands under. ``sh`` blocks must succeed. In a ``console`` block each shown line must come, ``…`` being
anything, of ``dvc repro`` every stage and no other; a command may fail where an error is shown.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import yaml

from tests.closure import ROOT

BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUNNING = re.compile(r"Running stage '([^']+)'")
SCALE = "conf/scale/miniature.yaml"
# AlexNet, so that what dvc.yaml says of backbones is true of the small project, too
KEPT = ("imagenet", "voc", "sbd", "vgg16", "alexnet", "voc-seg11valid", "voc-fcn32s")
SMALLER = {
    "counts: [train=200, val=15]": "counts: [train=4, val=2]",
    "counts: [train=60, val=150, held_out=100]": "counts: [train=6, val=15, held_out=10]",
    "counts: [train=600, val=20, held_out=100]": "counts: [train=30, val=4, held_out=10]",
    "expect: [train=60, val=150, seg11valid=100]": "expect: [train=6, val=15, seg11valid=10]",
    "expect: [train=600, val=20]": "expect: [train=30, val=4]",
    "crop: 64, batch: 32, iterations: 600": "crop: 64, batch: 8, iterations: 30",
    "crop: 64, batch: 32, iterations: 300": "crop: 64, batch: 2, iterations: 2",
    # at a higher rate hardly pretrained nets overflow
    "iterations: 2000, batch: 1, lr: 3.0e-8": "iterations: 8, batch: 1, lr: 1.0e-10",
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
            for command, shown in exchanges(block.text):
                check(command, shown, shell(root, command, fails="rror" in shown))


def place(path: Path, text: str) -> None:
    if not path.exists():
        path.write_text(text, encoding="utf-8")
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    insert(lines, text.splitlines(), 0, len(lines))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def insert(lines: list[str], rows: list[str], start: int, end: int) -> int:
    """Add ``rows`` to the group that is ``lines[start:end]``, in place, and return the group's new end."""
    margin = depth(rows[0])
    items = rows[0].lstrip().startswith("- ")  # a list's may stand as deep as its name
    entries = [i for i, row in enumerate(rows) if depth(row) == margin and row.lstrip().startswith("- ") == items]
    entries.append(len(rows))
    for first, last in pairwise(entries):
        header, inside = rows[first], rows[first + 1 : last]
        known = header if header.endswith(":") else None
        at = next((i for i in range(start, end) if known and lines[i].removesuffix(" {}") == known), None)
        if at is None:
            place = end
            while not lines[place - 1].strip() or lines[place - 1].startswith("#"):
                place -= 1  # what lies between two groups belongs to the next
            lines[place:place] = rows[first:last]
            end += last - first
        else:
            lines[at] = header
            stop = next((i for i in range(at + 1, end) if outside(lines[i], margin)), end)
            end += insert(lines, inside, at + 1, stop) - stop
    return end


def depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def outside(line: str, margin: int) -> bool:
    """Whether a group whose name is ``margin`` deep has ended before ``line``."""
    return bool(line.strip()) and depth(line) <= margin and not line.lstrip().startswith(("- ", "#"))


def exchanges(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a console block, each with what is shown to come."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def check(command: str, shown: str, came: str) -> None:
    for line in filter(None, map(str.strip, shown.splitlines())):
        pattern = ".*".join(map(re.escape, line.split("…")))
        assert re.search(pattern, came), f"$ {command}\ndoes not show {line!r} but\n{came[-6000:]}"
    if "dvc repro" in command:
        assert set(RUNNING.findall(came)) == set(RUNNING.findall(shown)), f"$ {command}\n{came[-6000:]}"


def shell(root: Path, command: str, *, fails: bool = False) -> str:
    """What ``bash -c command`` prints in ``root``, to stdout and stderr; it must succeed, unless it ``fails``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "MLFLOW_", "FCN_MIRROR"))}
    path = f"{Path(sys.executable).parent}:{kept['PATH']}"
    mine = {"PATH": path, "PYTHONPATH": str(root), "DVC_NO_ANALYTICS": "1", "COLUMNS": "200"}
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=root,
        env=kept | mine,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert (done.returncode != 0) == fails, f"$ {command}\nexit {done.returncode}\n{done.stdout[-6000:]}"
    return done.stdout


def small(to: Path) -> Path:
    """The working tree as git would commit it, its miniature ``cut``, run once and committed in ``to``."""
    listed = subprocess.run(
        ["git", "ls-files", "-zco", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    for name in listed.stdout.decode().split("\0"):
        if name and name != "dvc.lock" and not name.startswith(("eval/", "results/")) and (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            (to / name).write_bytes((ROOT / name).read_bytes())
    (to / SCALE).write_text(cut((to / SCALE).read_text()))
    shell(to, "git init -qb main && git config user.name t && git config user.email t@localhost")
    shell(to, "python -m ops.compose && git add -A && git commit -qm small")
    shell(to, "fcn run --jobs 2 leaks report convolutionalize@alexnet && git add -A && git commit -qm ran")
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
