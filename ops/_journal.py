"""How long stages took here: .seconds.tsv has a line for each that `fcn run` ran."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.shared.dvc import load

NAME = ".seconds.tsv"


@dataclass(frozen=True)
class Line:
    """A stage that ran: seconds, params.yaml's ``scale``, a digest of the stage's ``params``, seconds of CPU."""

    stage: str
    seconds: float
    scale: str
    params: str
    cpu: float = 0.0


def write(root: Path, stage: Any, took: float, cpu: float) -> None:
    """Append one line for DVC's ``stage``, in one write: another run may write beside this one."""
    params = {name: value for dep in stage.params for name, value in dep.hash_info.value.items()}
    with (root / NAME).open("a", encoding="utf-8") as file:
        file.write(f"{stage.addressing}\t{took:.1f}\t{scale(root)}\t{digest(params)}\t{cpu:.1f}\n")


def read(root: Path) -> list[Line]:
    """All lines, oldest first; what is none, as half a line where the disk was full, is passed over."""
    found = []
    if (root / NAME).is_file():
        for text in (root / NAME).read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                stage, seconds, of, params, *cpu = text.split("\t")  # earlier ones have no CPU
                found.append(Line(stage, float(seconds), of, params, *map(float, cpu)))
            except (ValueError, TypeError):
                continue
    return found


def seconds(lines: Sequence[Line], stage: str, params: Mapping[str, Any], of: str) -> float | None:
    """Of the newest run of ``stage`` with these ``params``, else of the newest of this scale; None if there is none."""
    ours = [line for line in lines if line.stage == stage and line.scale == of]
    same = [line for line in ours if line.params == digest(params)]
    return (same or ours)[-1].seconds if ours else None


def digest(params: Mapping[str, Any]) -> str:
    """8 hex digits; equal for equal params."""
    text = json.dumps(params, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def scale(root: Path) -> str:
    """What decides a stage's seconds more than anything else; empty where a project knows none."""
    params = root / "params.yaml"
    tree = load(params) if params.is_file() else None
    return str((tree or {}).get("scale", ""))
