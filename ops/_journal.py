"""What stages took here, time, memory and disk: .seconds.tsv has a line for each that `fcn run` ran."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from pipeline.tables import duration, markdown, size
from stages.shared.dvc import load

NAME = ".seconds.tsv"


@dataclass(frozen=True)
class Line:
    """A stage that ran: seconds, params.yaml's ``scale``, a digest of the stage's ``params``, seconds of CPU.

    ``memory`` are the bytes that its largest process had resident at most, ``disk`` those of its outputs, which lie in
    DVC's cache once more.
    """

    stage: str
    seconds: float
    scale: str
    params: str
    cpu: float = 0.0
    memory: float = 0.0
    disk: float = 0.0


def write(root: Path, stage: Any, took: float, cpu: float, memory: int) -> str:
    """Append one line for DVC's ``stage``, saved, in one write: another run may write beside. Returns it in words."""
    params = {name: value for dep in stage.params for name, value in dep.hash_info.value.items()}
    disk = sum(out.meta.size or 0 for out in stage.outs)
    row = (stage.addressing, f"{took:.1f}", scale(root), digest(params), f"{cpu:.1f}", str(memory), str(disk))
    with (root / NAME).open("a", encoding="utf-8") as file:
        file.write("\t".join(row) + "\n")
    return f"done in {took:.0f} s, {cpu:.0f} s of CPU, {size(memory)} of memory; {size(disk)} written"


@contextmanager
def summary(root: Path) -> Iterator[None]:
    """Print the ``table`` of what ran meanwhile, if anything did, however the block ends."""
    before = len(read(root))
    try:
        yield
    finally:
        if lines := read(root)[before:]:
            click.echo(table(lines))


def table(lines: Sequence[Line]) -> str:
    """A row a kind of stage: how many ran, their seconds together, what the largest process held, what they wrote."""
    kinds: dict[str, list[Line]] = {}
    for line in lines:
        kinds.setdefault(line.stage.partition("@")[0], []).append(line)
    rows = []
    for kind, ran in {**kinds, "together": lines}.items():
        clock, cpu, disk = (sum(getattr(line, name) for line in ran) for name in ("seconds", "cpu", "disk"))
        most = max((line.memory for line in ran), default=0)
        rows.append((kind, str(len(ran)), duration(clock), duration(cpu), size(most), size(disk)))
    return markdown(("stage", "runs", "wall time", "CPU time", "memory at most", "disk"), rows)


def read(root: Path) -> list[Line]:
    """All lines, oldest first; what is none, as half a line where the disk was full, is passed over."""
    found = []
    if (root / NAME).is_file():
        for text in (root / NAME).read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                stage, seconds, of, params, *more = text.split("\t")  # earlier ones have no CPU, or no memory
                found.append(Line(stage, float(seconds), of, params, *map(float, more)))
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
