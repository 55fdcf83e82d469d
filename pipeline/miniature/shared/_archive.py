"""Archives and members whose bytes depend on nothing but their content: tar, tgz, palette PNG, MATLAB v5."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

from pipeline.core import files

Member = tuple[str, bytes]
"""A member's name in the archive, and its content."""

_MAT_TEXT = 116  # bytes of free text that open a MATLAB v5 file; scipy writes the date there


def write_tar(path: Path, members: Iterable[Member]) -> None:
    """Write an uncompressed tar: regular files in the given order, owner 0, time 0."""
    with files.replacing(path) as scratch, scratch.open("wb") as file:
        _pack(file, members)


def write_tgz(path: Path, members: Iterable[Member]) -> None:
    """Write a gzipped tar, likewise; gzip's own header carries no name and time 0."""
    with (
        files.replacing(path) as scratch,
        scratch.open("wb") as file,
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed,
    ):
        _pack(packed, members)


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


def palette_png(indices: NDArray[np.uint8]) -> bytes:
    """An H×W map of 0–255 as a palette PNG in VOC's colours."""
    picture = Image.fromarray(indices)
    picture.putpalette(_voc_palette())
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _voc_palette() -> bytes:
    """256 colours: bits 3j, 3j+1, 3j+2 of an index are bits 7−j of its red, green and blue (VOC devkit)."""
    index = np.arange(256)[:, None]
    channel = np.arange(3)[None, :]
    color = sum((index >> (3 * j + channel) & 1) << (7 - j) for j in range(3))
    return np.asarray(color, np.uint8).tobytes()


def mat(**variables: Any) -> bytes:
    """Variables as a compressed MATLAB v5 file; dicts become 1×1 structs with their fields in order."""
    file = io.BytesIO()
    savemat(file, variables, format="5", do_compression=True, oned_as="column")
    return b"MATLAB 5.0 MAT-file, miniature".ljust(_MAT_TEXT) + file.getvalue()[_MAT_TEXT:]
