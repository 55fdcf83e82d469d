"""Where data came from: the archives that dvc.lock's entries fetched or rendered."""

from __future__ import annotations

import json
from collections.abc import Mapping

from stages.shared.dvc import Entry, upstream

FILES = (".files", ".file")  # the params that download and download-weights fetch by


def urls(entry: Entry) -> list[str]:
    """What ``entry`` fetched, the first address of each file; of a stage that fetches nothing none."""
    found = []
    for name, value in entry.params.items():
        if name.startswith(("downloads.", "weight_downloads.")) and name.endswith(FILES):
            rows = json.loads(value)
            found += [row["urls"][0] for row in (rows if isinstance(rows, list) else [rows]) if row.get("urls")]
    return found


def archives(found: Mapping[str, Entry]) -> dict[str, str]:
    """The source of each data set by its key: the URL of its first archive, or the path that it was rendered to."""
    converted = (entry for entry in found.values() if entry.stage.startswith(("convert@", "convert-folder@")))
    return {entry.key: _source(entry, upstream(entry, found)) for entry in converted}


def _source(entry: Entry, before: list[Entry]) -> str:
    fetched = [url for other in before for url in urls(other)]
    return fetched[0] if fetched else next(path for other in before for path in other.outs) if before else _own(entry)


def _own(entry: Entry) -> str:
    """The folder of a data set of one's own."""
    return entry.params.get(f"folders.{entry.key}.root", "")
