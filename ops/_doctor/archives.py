"""The originals that the scale in params.yaml reads: which are here, and who serves the rest."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ops._amount import size
from ops._doctor.finding import FIX, NOTE, OK, SKIP, Finding, Params
from pipeline.core import fields
from pipeline.fetch.archives import STORE
from pipeline.fetch.download import Download, Row, stored_name
from pipeline.fetch.transfer import SourceError


def check(root: Path, params: Params) -> Iterator[Finding]:
    """A line for each archive of a wrong size, and one for those that are absent."""
    wanted, mirror = listed(params), os.environ.get("FCN_MIRROR")
    if mirror and not (Path(mirror).is_dir() and os.access(mirror, os.R_OK | os.X_OK)):
        yield Finding("archives", FIX, f"FCN_MIRROR is {mirror}, no folder to read: correct or unset it")
    if not wanted:
        yield Finding("archives", SKIP, f"scale {params.get('scale')} renders its own")
        return
    places = {(folder, entry): place(root, folder, entry) for folder, entry in wanted}
    odd = [(path, why) for (_, entry), path in places.items() if path and (why := _wrong(path, entry))]
    for path, why in dict.fromkeys(odd):
        yield Finding("archives", FIX, f"{path} {why}: replace it, or remove it and run dvc repro")
    yield _told(len(wanted), [entry for (_, entry), path in places.items() if path is None])


def place(root: Path, folder: Path, entry: Download) -> Path | None:
    """Where ``entry`` is now: where stages read it, in $FCN_MIRROR or in the store of downloads."""
    mirror = os.environ.get("FCN_MIRROR")
    places = [root / folder / entry.name, *([Path(mirror) / entry.name] if mirror else [])]
    places += [root / STORE / stored_name(digest) for digest in entry.sha256]
    return next((path for path in places if path.is_file()), None)


def listed(params: Params) -> list[tuple[Path, Download]]:
    """The folder and the row of each file that params.yaml has fetched. Raises Refusal for a row that is none."""
    rows = [fields.read(Row, f"downloads.{key}", row) for key, row in (params.get("downloads") or {}).items()]
    return [(Path(row.folder), entry) for row in rows for entry in row.files]


def _wrong(path: Path, entry: Download) -> str | None:
    """What is wrong with the size; a file of several that are accepted is known by its digest alone."""
    found = path.stat().st_size
    if entry.bytes in (None, found):
        return None
    if len(entry.sha256) < 2:
        return f"has {found} bytes, not {entry.bytes}"
    try:
        entry.verified(path)
    except SourceError as error:
        return str(error)
    return None


def _told(count: int, absent: list[Download]) -> Finding:
    if not absent:
        return Finding("archives", OK, f"all {count} are here")
    names = list(dict.fromkeys(entry.name for entry in absent))
    told = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    if os.environ.get("FCN_OFFLINE", "0") not in ("", "0"):
        return Finding("archives", FIX, f"{told} are absent and FCN_OFFLINE is set: put them into FCN_MIRROR")
    total = size(sum(entry.bytes or 0 for entry in absent))
    return Finding("archives", NOTE, f"{len(absent)} of {count} will be downloaded, {total}: {told}")
