"""Read tar and tgz archives in place: every member name is checked, and nothing is ever unpacked."""

import gzip
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import IO, Self, cast

from pipeline.core.types import Refusal
from pipeline.datasets.shared.archive import ids_of, safe_name, version


@dataclass(frozen=True, kw_only=True)
class Member:
    """A regular file of an archive; ``offset`` is where its bytes start in the uncompressed tar.

    ``read`` works until the walk takes its next step.
    """

    name: str
    offset: int
    size: int
    read: Callable[[], bytes]


@dataclass(frozen=True, kw_only=True)
class Index:
    """What one walk learned: where each member lies, and the text of the small ``.txt`` members."""

    places: dict[str, tuple[int, int]]
    texts: dict[str, str]


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
    version(archive)
    try:
        with ExitStack() as stack:
            stream = stack.enter_context(_opened(archive))
            tar = stack.enter_context(tarfile.open(fileobj=stream, mode="r:", tarinfo=_StrictInfo))
            for info in tar:
                name = safe_name(archive, info.name, plain=info.isfile() or info.isdir())
                if info.isfile():
                    yield Member(name=name, offset=info.offset_data, size=info.size, read=partial(_read, tar, info))
            while stream.read(1 << 20):
                pass
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        cut = isinstance(error, EOFError) or str(error) in ("unexpected end of data", "empty file")
        raise Refusal(f"{archive} {'is truncated' if cut else f'is damaged ({error})'}: fetch it again") from None


def _opened(archive: Path) -> IO[bytes]:
    with archive.open("rb") as file:
        gzipped = file.read(2) == b"\x1f\x8b"
    return cast(IO[bytes], gzip.open(archive)) if gzipped else archive.open("rb")


def _read(tar: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    return cast(IO[bytes], tar.extractfile(info)).read()  # None is for other than regular files


def index(archive: Path) -> Index:
    """Walk the archive once per version of it and process: offset and size by name, ``.txt`` members read."""
    return _index(*version(archive))


@lru_cache(maxsize=4)
def _index(archive: Path, size: int, mtime: int) -> Index:
    places: dict[str, tuple[int, int]] = {}
    texts: dict[str, str] = {}
    for member in walk(archive):
        places[member.name] = (member.offset, member.size)
        if member.name.endswith(".txt") and member.size < 1 << 20:
            texts[member.name] = member.read().decode("utf-8", "replace")
    return Index(places=places, texts=texts)


def place(archive: Path, member: str) -> tuple[int, int]:
    """Where a member lies: offset and size in bytes. Raises Refusal where the archive has none of that name."""
    places = index(archive).places
    if member not in places:
        raise Refusal(f"{archive} has no {member}: fetch it again")
    return places[member]


def read(archive: Path, members: Iterable[str]) -> Iterator[bytes]:
    """The bytes of each member of a tar that is not compressed, in the order asked for, by offset."""
    with archive.open("rb") as file:
        for member in members:
            offset, size = place(archive, member)
            file.seek(offset)
            yield file.read(size)


def gather(archive: Path, wanted: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Samples of a compressed tar in one pass: each id and the bytes of its parts, as soon as the last of them comes.

    ``wanted`` is the member of each part, by id; a part is held only until its partners come. Raises Refusal where the
    archive has no such member.
    """
    parts: dict[str, dict[str, bytes]] = {name: {} for name in wanted}
    members = {member: (name, part) for name, own in wanted.items() for part, member in own.items()}
    for member in members:
        place(archive, member)
    for found in walk(archive):
        if found.name in members:
            name, part = members.pop(found.name)
            parts[name][part] = found.read()
            if len(parts[name]) == len(wanted[name]):
                yield name, parts.pop(name)
        if not members:
            return


def ids(archive: Path, member: str) -> list[str]:
    """The ids that a member lists, one a line. Raises Refusal where it is absent, empty or has one twice."""
    place(archive, member)
    return ids_of(index(archive).texts.get(member, ""), f"{archive}: {member}")
