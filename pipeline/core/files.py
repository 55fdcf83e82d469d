"""Write whole files or nothing, and know a file by its bytes."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a scratch path beside ``path`` (file or folder); it becomes ``path`` only when the block ends well."""
    scratch = path.with_name(f".{path.name}.partial")
    _remove(scratch)
    scratch.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield scratch
        _remove(path)
        scratch.replace(path)
    finally:
        _remove(scratch)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """Hex digest of a file, read in blocks."""
    return digest(path, "sha256")


def digest(path: Path, algorithm: str) -> str:
    """As ``sha256``, by another algorithm of hashlib: a name for the bytes, no proof against forgers."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def write_text(path: Path, text: str) -> None:
    """In UTF-8."""
    with replacing(path) as scratch:
        scratch.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Sorted, indented, newline at the end: equal values give equal bytes."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
