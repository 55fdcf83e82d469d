"""Read zip archives in place: every member's name and kind are checked, and nothing is ever unpacked."""

import stat
import struct
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from pipeline.core.types import Refusal
from pipeline.datasets.shared.archive import safe_name, version

LIMIT = 64 << 20  # bytes a member may unpack to: a hundred times what a photograph or its labels need

_LAST = struct.Struct("<4s4H2LH")  # the record that ends the archive, before its comment (APPNOTE.TXT, 4.3.16)
_ZIP64 = 0xFFFF  # the count stands elsewhere: more members than any of our archives has


def index(archive: Path) -> Mapping[str, zipfile.ZipInfo]:
    """Where each file lies, by its name with forward slashes; checked once per version of the archive and process.

    Raises Refusal when the archive is absent, truncated or damaged, and at a member that is a link or a device, named
    outside its folder, named twice, or beyond ``LIMIT``.
    """
    return _index(*version(archive))


@lru_cache(maxsize=4)
def _index(archive: Path, size: int, mtime: int) -> Mapping[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    with _opened(archive) as opened:
        listed = len(opened.infolist())
        if (counted := _counted(archive)) not in (listed, _ZIP64):
            raise Refusal(f"{archive} is damaged (lists {listed} of its {counted} members): fetch it again")
        for info in opened.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)  # the Unix mode; packers elsewhere leave it 0
            plain = kind in (0, stat.S_IFREG, stat.S_IFDIR)
            name = safe_name(archive, info.orig_filename, plain=plain)
            if name in members:
                raise Refusal(f"{archive} holds {name!r} twice: fetch it again")
            if info.file_size > LIMIT:
                large = f"which unpacks to {info.file_size} bytes, more than {LIMIT}"
                raise Refusal(f"{archive} holds {name!r}, {large}: fetch the archive from a source you trust")
            if not name.endswith("/"):
                members[name] = info
    return members


def read(archive: Path, names: Iterable[str]) -> Iterator[bytes]:
    """The bytes of each named member, in the order asked for; each passes its checksum.

    ``names`` must stand in ``index(archive)``. Raises Refusal naming the member whose bytes are damaged, encrypted or
    packed by a method that Python lacks.
    """
    members = index(archive)
    with _opened(archive) as opened:
        for name in names:
            try:
                data = opened.read(members[name])
            except Exception as error:  # damaged bytes make zipfile raise nearly anything
                raise Refusal(f"{archive}: {name} cannot be read ({_reason(error)}): fetch it again") from None
            if len(data) != members[name].file_size:
                raise Refusal(f"{archive}: {name} is shorter than it says: fetch it again")
            yield data


def _opened(archive: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(archive)
    except Exception as error:
        what = "is no zip archive, or truncated" if "not a zip file" in str(error) else f"is damaged ({_reason(error)})"
        raise Refusal(f"{archive} {what}: fetch it again") from None


def _counted(archive: Path) -> int:
    """How many members the archive's last record says there are; zipfile does not look."""
    with archive.open("rb") as file:
        file.seek(max(0, archive.stat().st_size - _LAST.size - 0xFFFF))
        tail = file.read()
    found: int = _LAST.unpack_from(tail, tail.rindex(b"PK\5\6"))[4]
    return found


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
