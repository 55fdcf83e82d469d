"""Read tar and tgz archives in place: every member name is checked, and nothing is ever unpacked."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Self, cast

from pipeline.core.types import Refusal


@dataclass(frozen=True, kw_only=True)
class Member:
    """A regular file of an archive; ``offset`` is where its bytes start in the uncompressed tar.

    ``read`` works until the walk takes its next step.
    """

    name: str
    offset: int
    size: int
    read: Callable[[], bytes]


class _StrictInfo(tarfile.TarInfo):
    """A header that must be one: tarfile takes a broken header for the archive's end and drops what follows."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if not any(buf):  # a block of zeros, or nothing: where archives do end
                raise
            cut = "unexpected end of data" if len(buf) < tarfile.BLOCKSIZE else str(error)
            raise tarfile.ReadError(cut) from None


def walk(archive: Path) -> Iterator[Member]:
    """Every regular file in the archive's order, in one forward pass, to the last byte (so gzip's checksum counts).

    Raises Refusal when the archive is absent, truncated or damaged, and at a member that is a link, a device, or named
    outside its folder.
    """
    try:
        with ExitStack() as stack:
            stream = stack.enter_context(_opened(archive))
            tar = stack.enter_context(tarfile.open(fileobj=stream, mode="r:", tarinfo=_StrictInfo))
            for info in tar:
                name = _safe(archive, info)
                if info.isfile():
                    yield Member(name=name, offset=info.offset_data, size=info.size, read=_reads(tar, info))
            while stream.read(1 << 20):
                pass
    except FileNotFoundError:
        raise Refusal(f"{archive} is missing: run its download or miniature stage") from None
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        cut = isinstance(error, EOFError) or str(error) in ("unexpected end of data", "empty file")
        what = "is truncated" if cut else f"is damaged ({error})"
        raise Refusal(f"{archive} {what}: fetch it again") from None


def _opened(archive: Path) -> IO[bytes]:
    file = archive.open("rb")
    if file.read(2) == b"\x1f\x8b":
        file.close()
        return cast(IO[bytes], gzip.open(archive))
    file.seek(0)
    return file


def _reads(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        file = tar.extractfile(info)
        assert file is not None  # regular files only
        return file.read()

    return read


def _safe(archive: Path, info: tarfile.TarInfo) -> str:
    """The member's name without a leading ``./``; Refusal for what could reach outside the archive's folder."""
    name = info.name
    if name.startswith(("/", "\\")) or name[1:2] == ":" or ".." in name.replace("\\", "/").split("/"):
        raise Refusal(f"{archive} holds {name!r}, a name outside its folder: fetch the archive from a source you trust")
    if not (info.isfile() or info.isdir()):
        raise Refusal(f"{archive} holds {name!r}, a link or a device: fetch the archive from a source you trust")
    return name.removeprefix("./")


@dataclass(frozen=True, kw_only=True)
class Index:
    """What one walk learned: where each member lies, and the text of the small ``.txt`` members."""

    places: dict[str, tuple[int, int]]
    texts: dict[str, str]


def index(archive: Path) -> Index:
    """Walk the archive once per version of it and process: offset and size by name, ``.txt`` members read."""
    if not archive.is_file():
        raise Refusal(f"{archive} is missing: run its download or miniature stage")
    stat = archive.stat()
    return _index(archive, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=4)
def _index(archive: Path, size: int, mtime: int) -> Index:
    places: dict[str, tuple[int, int]] = {}
    texts: dict[str, str] = {}
    for member in walk(archive):
        places[member.name] = (member.offset, member.size)
        if member.name.endswith(".txt") and member.size < 1 << 20:
            texts[member.name] = member.read().decode("utf-8", "replace")
    return Index(places=places, texts=texts)
