"""What a check found: one line, of which the remedy is the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

OK, FIX, NOTE, SKIP = "ok", "fix", "note", "skip"  # well; broken; worth knowing; not set up here

Params = Mapping[str, Any]  # params.yaml


@dataclass(frozen=True)
class Finding:
    """``text`` is one line; a FIX says what is wrong and, after its last colon, what to do."""

    check: str
    state: str
    text: str

    def __str__(self) -> str:
        return f"{self.state:<4}  {self.check:<8}  {self.text}"

    def to_json(self) -> dict[str, str]:
        return asdict(self)


Check = Callable[[Path, Params], Iterator[Finding]]
