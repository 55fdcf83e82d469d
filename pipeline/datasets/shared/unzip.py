"""Read zip archives in place: every member's name and kind are checked, and nothing is ever unpacked."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from pipeline.core.types import Refusal

LIMIT = 64 << 20  # bytes a member may unpack to: a hundred times what a photograph or its labels need

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1  # bit 0 of a member's flags (APPNOTE.TXT, 4.4.4)
_START = b"PK\3\4"
_LAST = struct.Struct("<4s4H2LH")  # the record that ends the archive, before its comment
_ZIP64 = 0xFFFF  # the count stands elsewhere: more members than any of our archives has
# What zipfile raises for damaged bytes, wherever they are; a wild offset makes the file object itself protest.
_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, OSError, ValueError)

Index = Mapping[str, zipfile.ZipInfo]
"""Where each file of an archive lies, by its name with forward slashes."""


def index(archive: Path) -> Index:
    """The archive's directory, checked once per version of it and process.

    Raises Refusal when the archive is absent, truncated or damaged, and at a member that is a link or a device, named
    outside its folder, named twice, encrypted, packed otherwise than stored or deflated, or beyond ``LIMIT``.
    """
    if not archive.is_file():
        raise Refusal(f"{archive} is missing: run its download or miniature stage")
    status = archive.stat()
    return _index(archive, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4)
def _index(archive: Path, size: int, mtime: int) -> Index:
    members: dict[str, zipfile.ZipInfo] = {}
    with _opened(archive) as opened:
        counted, listed = _counted(archive), len(opened.infolist())
        if counted not in (listed, _ZIP64):
            raise Refusal(f"{archive} is damaged (lists {listed} of its {counted} members): fetch it again")
        for info in opened.infolist():
            name = _safe(archive, info)
            if name in members:
                raise Refusal(f"{archive} holds {name!r} twice: fetch it again")
            if not name.endswith("/"):
                members[name] = info
    return members


def read(archive: Path, names: Iterable[str]) -> Iterator[bytes]:
    """The bytes of each named member, in the order asked for; each passes its checksum.

    ``names`` must stand in ``index(archive)``. Raises Refusal naming the member whose bytes are damaged.
    """
    members = index(archive)
    with _opened(archive) as opened:
        for name in names:
            try:
                data = opened.read(members[name])
            except _BROKEN as error:
                raise Refusal(f"{archive}: {name} is damaged ({_reason(error)}): fetch it again") from None
            if len(data) != members[name].file_size:
                raise Refusal(f"{archive}: {name} is damaged (shorter than it says): fetch it again")
            yield data


def _opened(archive: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(archive)
    except _BROKEN as error:
        with archive.open("rb") as file:
            start = file.read(len(_START))
        if not _START.startswith(start):
            what = "is no zip archive"
        elif "not a zip file" in str(error):  # the directory, at the archive's end, is not found
            what = "is truncated"
        else:
            what = f"is damaged ({_reason(error)})"
        raise Refusal(f"{archive} {what}: fetch it again") from None


def _counted(archive: Path) -> int:
    """How many members the archive's last record says there are (APPNOTE.TXT, 4.3.16); zipfile does not look."""
    with archive.open("rb") as file:
        file.seek(max(0, archive.stat().st_size - _LAST.size - 0xFFFF))
        tail = file.read()
    found: int = _LAST.unpack_from(tail, tail.rindex(b"PK\5\6"))[4]
    return found


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _safe(archive: Path, info: zipfile.ZipInfo) -> str:
    """The member's name with forward slashes; Refusal for what could reach outside the archive's folder, or cannot be.

    Windows' own packers wrote back-slashes, which lead as far as forward ones do.
    """
    shown, name = info.orig_filename, info.orig_filename.replace("\\", "/")
    if name.startswith("/") or name[1:2] == ":" or ".." in name.split("/") or "\0" in name:
        raise Refusal(
            f"{archive} holds {shown!r}, a name outside its folder: fetch the archive from a source you trust"
        )
    kind = stat.S_IFMT(info.external_attr >> 16)  # the Unix mode; packers elsewhere leave it 0
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise Refusal(f"{archive} holds {shown!r}, a link or a device: fetch the archive from a source you trust")
    if info.flag_bits & _ENCRYPTED:
        raise Refusal(f"{archive} holds {shown!r}, which is encrypted: fetch the archive as published")
    if info.compress_type not in _METHODS:
        raise Refusal(f"{archive} holds {shown!r}, packed by method {info.compress_type}: pack it stored or deflated")
    if info.file_size > LIMIT:
        raise Refusal(
            f"{archive} holds {shown!r}, which unpacks to {info.file_size} bytes, more than {LIMIT}: "
            "fetch the archive from a source you trust"
        )
    return name.removeprefix("./")
