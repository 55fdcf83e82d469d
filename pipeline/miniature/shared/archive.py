"""Archives and members whose bytes depend on nothing but their content: tar, tgz, zip, MATLAB v5."""

import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.io import savemat

from pipeline.core import files

Member = tuple[str, bytes]
"""A member's name in the archive, and its content."""

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment a zip can hold
_UNIX = 3
_MAT_TEXT, _MAT_HEADER = 116, 128  # bytes that open a MATLAB v5 file: free text (scipy's date), and all
_MAT_COMPRESSED = 15  # miCOMPRESSED
_GZIP = pa.Codec("gzip", compression_level=3)  # its default, 9, takes 18 times as long for a map of labels


def write_tar(path: Path, members: Iterable[Member]) -> None:
    """Write an uncompressed tar: regular files in the given order, owner 0, time 0."""
    with files.replacing(path) as scratch, scratch.open("wb") as file:
        _pack(file, members)


def write_tgz(path: Path, members: Iterable[Member]) -> None:
    """Write a gzipped tar, likewise; gzip's own header carries no name and time 0."""
    with files.replacing(path) as scratch, pa.output_stream(str(scratch), compression="gzip") as packed:
        _pack(packed, members)


def write_zip(path: Path, members: Iterable[Member]) -> None:
    """Write a zip of stored files in the given order, of one date; images and labels are packed already."""
    with files.replacing(path) as scratch, zipfile.ZipFile(scratch, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system = _UNIX
            info.external_attr = 0o100644 << 16
            archive.writestr(info, content)


def write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with files.replacing(path) as scratch:
        scratch.write_bytes(content)


def tar(members: Iterable[Member]) -> bytes:
    """The same tar as ``write_tar``'s, in memory."""
    file = io.BytesIO()
    _pack(file, members)
    return file.getvalue()


def _pack(file: Any, members: Iterable[Member]) -> None:
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in members:
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))


def lines(rows: Iterable[str]) -> bytes:
    """A list file: one row per line."""
    return "".join(f"{row}\n" for row in rows).encode()


def cell(values: Sequence[Any], row: bool = False) -> NDArray[np.object_]:
    """A MATLAB cell array: N×1, or 1×N as a ``row``."""
    column = np.empty((len(values), 1), object)
    column[:, 0] = values
    return column.T if row else column


def mat(**variables: Any) -> bytes:
    """Variables as a compressed MATLAB v5 file; dicts become 1×1 structs with their fields in order."""
    file = io.BytesIO()
    savemat(file, variables, format="5", oned_as="column")
    plain, place = file.getvalue(), _MAT_HEADER
    parts = [b"MATLAB 5.0 MAT-file, miniature".ljust(_MAT_TEXT), plain[_MAT_TEXT:_MAT_HEADER]]
    while place < len(plain):
        size = 8 + struct.unpack_from("<I", plain, place + 4)[0]
        packed = _zlib(plain[place : place + size])
        parts += [struct.pack("<II", _MAT_COMPRESSED, len(packed)), packed]
        place += size
    return b"".join(parts)


def _zlib(content: bytes) -> bytes:
    """Compressed by pyarrow, which brings its own zlib: Python's is the system's, and systems differ in theirs."""
    deflated = _GZIP.compress(content, asbytes=True)[10:-8]  # without gzip's header and checksums
    return b"\x78\x5e" + deflated + struct.pack(">I", zlib.adler32(content))
