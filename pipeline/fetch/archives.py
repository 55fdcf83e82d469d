"""Turn a named file with URLs and accepted digests into a verified file on disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.core import files
from pipeline.core.types import Refusal
from pipeline.fetch.download import Download as Download
from pipeline.fetch.download import stored_name
from pipeline.fetch.transfer import SourceError, transfer

FACTS = {"format", "order", "range", "mean", "std", "crop", "width", "source", "licence"}
STORE = Path(".downloads")  # by digest, outside DVC: an edit of this file never fetches a gigabyte again


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A file in place and the accepted digest it has; not ``known``: none was listed, this sha256 is taken on trust."""

    path: Path
    digest: str
    known: bool


def fetch_all(row: Mapping[str, Any]) -> list[Fetched]:
    """Fetch ``files`` of a ``downloads`` row into its ``folder``, which then holds these files and no others.

    A ``manifest`` says how a classifier's weights want their input; it is written beside them. Raises Refusal for
    a row or a manifest that lacks something or has a stranger.
    """
    if not {"files", "folder"} <= set(row) <= {"files", "folder", "manifest"}:
        raise Refusal(f"a row of downloads has {', '.join(row)}: give it files, a folder, and weights a manifest")
    entries, folder = [Download.parse(each) for each in row["files"]], Path(row["folder"])
    manifest = row.get("manifest")
    if manifest is not None and (set(manifest) != FACTS or len(entries) != 1):
        odd = ", ".join(sorted(set(manifest) ^ FACTS)) or "more than one file"
        raise Refusal(f"downloads: the manifest of {entries[0].name} lacks or does not know {odd}: name each once")
    with files.replacing(folder) as scratch:
        scratch.mkdir()
        fetched = [fetch(entry, scratch) for entry in entries]
        if manifest is not None:
            files.write_json(scratch / "manifest.json", {"file": entries[0].name, "classes": [], **manifest})
    return [replace(one, path=folder / one.path.name) for one in fetched]


def fetch(entry: Download, folder: Path, *, store: Path = STORE, pause: float = 1.0) -> Fetched:
    """Put ``entry`` into ``folder``: from ``$FCN_MIRROR`` by name, else from ``store`` by digest, else from its URLs.

    ``FCN_OFFLINE=1`` opens no connection; ``file://`` URLs still serve. Interrupted downloads go on where they stopped.
    Raises Refusal when a mirror's file has another digest, or nothing served the file: one line with every reason.
    """
    if (mirrored := _mirrored(entry)) is not None:
        try:
            digest = entry.verified(mirrored)
        except SourceError as error:
            raise Refusal(f"{mirrored} (FCN_MIRROR) {error}: replace it, or list its digest in params.yaml") from None
        return _placed(entry, mirrored, digest, folder, link=False)
    stored, digest = _stored(entry, store) or _downloaded(entry, store, pause)
    return _placed(entry, stored, digest, folder, link=True)


def _mirrored(entry: Download) -> Path | None:
    mirror = os.environ.get("FCN_MIRROR")
    if not mirror:
        return None
    if not Path(mirror).is_dir():
        raise Refusal(f"FCN_MIRROR is {mirror}, no folder: point it to one that holds {entry.name}, or unset it")
    path = Path(mirror) / entry.name
    return path if path.is_file() else None


def _stored(entry: Download, store: Path) -> tuple[Path, str] | None:
    """The file an earlier download left in the store; one that was damaged since is dropped."""
    for digest in entry.sha256:
        path = store / stored_name(digest)
        if path.is_file():
            try:
                return path, entry.verified(path)
            except SourceError:
                path.unlink()
    return None


def _downloaded(entry: Download, store: Path, pause: float) -> tuple[Path, str]:
    """Try each URL; the file then lies in ``store`` under its digest."""
    store.mkdir(parents=True, exist_ok=True)
    part = store / f"{entry.name}.part"
    if not entry.sha256:
        part.unlink(missing_ok=True)  # nothing could tell whether an old piece belongs to this file
    reasons = []
    for url in entry.urls:
        try:
            digest = _from_url(url, entry, part, pause)
            return part.replace(store / stored_name(digest)), digest
        except SourceError as error:
            reasons.append(f"{url}: {error}")
    raise Refusal(
        f"could not fetch {entry.name}: {'; '.join(reasons) or 'no URL is listed'}; "
        "put it into a folder and set FCN_MIRROR to that folder"
    )


def _from_url(url: str, entry: Download, part: Path, pause: float) -> str:
    """Fill ``part`` from ``url`` and return its digest; one resumed in vain is fetched again as a whole."""
    remote = not url.startswith("file:")
    if remote and os.environ.get("FCN_OFFLINE", "0") not in ("", "0"):
        raise SourceError("FCN_OFFLINE is set")
    while True:
        fresh = not part.exists()
        transfer(url, part, expected=entry.bytes if remote else None, pause=pause)
        try:
            return entry.verified(part)
        except SourceError:
            part.unlink()
            if fresh:
                raise


def _placed(entry: Download, source: Path, digest: str, folder: Path, *, link: bool) -> Fetched:
    target = folder / entry.name
    folder.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        if not link:
            raise OSError
        os.link(source, target)  # a gigabyte need not lie here twice
    except OSError:
        shutil.copyfile(source, target)
    return Fetched(path=target, digest=digest, known=bool(entry.sha256))
