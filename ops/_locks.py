"""Who holds DVC's locks: its list of who reads and writes what names processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def holders(rows: Any) -> Iterator[dict[str, Any]]:
    """The processes in the content of DVC's rwlock, ``pid`` and ``cmd`` of each, once for each path."""
    yield from rows.get("write", {}).values()
    for readers in rows.get("read", {}).values():
        yield from readers
