"""Read the lists of ids that define a split."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.types import Refusal


def ids_of(text: str, source: str) -> list[str]:
    """The first word of each line, in order; Refusal when there is none or one stands twice."""
    ids = [line.split()[0] for line in text.splitlines() if line.strip()]
    if not ids:
        raise Refusal(f"{source} lists no ids: fetch it again")
    if len(set(ids)) < len(ids):
        twice = next(name for place, name in enumerate(ids) if name in ids[:place])
        raise Refusal(f"{source} lists {twice} twice: each id stands once in a split")
    return ids


def read_ids(path: Path) -> list[str]:
    """``ids_of`` a text file beside the archives."""
    if not path.is_file():
        raise Refusal(f"{path} is missing: run its download or miniature stage")
    return ids_of(path.read_text(encoding="utf-8"), str(path))
