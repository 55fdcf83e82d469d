"""Who is named in DVC's rwlock, its list of the processes that read and write."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.core.types import Refusal

RWLOCK = ".dvc/tmp/rwlock"


def holders(path: Path) -> set[int]:
    """The ids of the processes in the rwlock at ``path``, dead ones among them; none where there is no file.

    Raises Refusal where it is damaged.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        entries = [
            *rows.get("write", {}).values(),
            *(each for readers in rows.get("read", {}).values() for each in readers),
        ]
        return {int(entry["pid"]) for entry in entries if entry}
    except FileNotFoundError:
        return set()
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Refusal(f"{path} is damaged, so no stage runs: where no dvc works here, rm {RWLOCK}") from None
