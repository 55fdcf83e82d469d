"""All that decides what a stage writes, as one readable document: snapshots of another one are of no use."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

SHOWN = 5  # changes named


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """A stage's address, its params by dotted name, the sha256 of each dep (None where it is absent), what computes.

    ``torch`` is the version with its build, ``device`` the kind of processor: results differ between kinds.
    """

    stage: str
    params: Mapping[str, Any]
    deps: Mapping[str, str | None]
    torch: str
    device: str

    @property
    def digest(self) -> str:
        """16 hex digits; equal for equal documents."""
        text = json.dumps(self.to_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def read(cls, path: Path) -> "Fingerprint":
        """Raises OSError, ValueError or TypeError where ``path`` holds none."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def since(self, before: "Fingerprint") -> str:
        """What is not as it was: params and machine with both values, deps by path alone."""
        changes = list(self._changes(before))
        more = [f"{len(changes) - SHOWN} more"] if len(changes) > SHOWN else []
        return ", ".join(changes[:SHOWN] + more)

    def _changes(self, before: "Fingerprint") -> Iterator[str]:
        then = {**before.params, "torch": before.torch, "device": before.device}
        now = {**self.params, "torch": self.torch, "device": self.device}
        for name in dict.fromkeys([*now, *then]):
            if then.get(name) != now.get(name):
                yield f"{name} {then.get(name)} → {now.get(name)}"
        yield from (path for path in {**self.deps, **before.deps} if self.deps.get(path) != before.deps.get(path))
