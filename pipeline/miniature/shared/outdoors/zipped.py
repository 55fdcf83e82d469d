"""Zip archives whose bytes depend on nothing but their content."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

from pipeline.core import files
from pipeline.miniature.shared._archive import Member

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment a zip can tell
_UNIX = 3


def write_zip(path: Path, members: Iterable[Member]) -> None:
    """Write a zip of stored files in the given order, of one date; images and labels are packed already."""
    with files.replacing(path) as scratch, zipfile.ZipFile(scratch, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system = _UNIX
            info.external_attr = 0o100644 << 16
            archive.writestr(info, content)
