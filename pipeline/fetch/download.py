"""What params.yaml says of a file to fetch, and whether a file on disk is that one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.types import Refusal
from pipeline.fetch.transfer import SourceError

HEX = {"md5": 32, "sha1": 40, "sha256": 64}  # digits


@dataclass(frozen=True, kw_only=True)
class Download:
    """A file to fetch: ``urls`` best first, ``sha256`` the accepted digests, ``bytes`` the length the URLs serve.

    A digest is a bare sha256 in hex or ``sha256:…``, ``sha1:…``, ``md5:…``, for archives whose publisher gave only
    those. Without any, what comes is trusted and its sha256 told.
    """

    name: str
    urls: tuple[str, ...]
    sha256: tuple[str, ...] = ()
    bytes: int | None = None

    def __post_init__(self) -> None:
        if self.name in ("", "..") or self.name != Path(self.name).name:
            raise Refusal(f"download name {self.name!r} is no plain file name: give it without a folder")
        for digest in self.sha256:
            algorithm, value = _split(digest)
            if len(value) != HEX.get(algorithm) or set(value) - set("0123456789abcdef"):
                raise Refusal(f"{self.name}: {digest!r} is no digest: write sha256 in hex, or sha1:… or md5:…")

    @classmethod
    def parse(cls, row: Mapping[str, Any]) -> Download:
        """A row of params.yaml, strictly: ``{name, urls, sha256, bytes}``."""
        if set(row) != {"name", "urls", "sha256", "bytes"}:
            raise Refusal(f"download {row.get('name')} has {', '.join(row)}: give it name, urls, sha256 and bytes")
        name, urls, digests, length = row["name"], row["urls"], row["sha256"], row["bytes"]
        if not isinstance(name, str) or not (_texts(urls) and _texts(digests)):
            raise Refusal(f"download {name}: name is text, urls and sha256 are lists of text; quote the digests")
        if not (length is None or type(length) is int):
            raise Refusal(f"download {name}: bytes is {length!r}: give a whole number or null")
        return cls(name=name, urls=tuple(urls), sha256=tuple(digest.lower() for digest in digests), bytes=length)

    def verified(self, path: Path) -> str:
        """The accepted digest that ``path`` has, or its sha256 where none is listed; else SourceError."""
        length = path.stat().st_size
        wanted = [_split(digest) for digest in self.sha256] or [("sha256", "")]
        actual = {algorithm: _digest(path, algorithm) for algorithm in sorted({algorithm for algorithm, _ in wanted})}
        if not self.sha256:
            if self.bytes not in (None, length):
                raise SourceError(f"has {length} bytes, expected {self.bytes}")
            return actual["sha256"]
        for digest, (algorithm, value) in zip(self.sha256, wanted, strict=True):
            if actual[algorithm] == value:
                return digest
        found = ", ".join(f"{algorithm} {value}" for algorithm, value in actual.items())
        raise SourceError(f"has {found} ({length} bytes), expected {' or '.join(self.sha256)}")


def stored_name(digest: str) -> str:
    """A digest as a file name: the bare sha256, or another algorithm's with its name before it."""
    algorithm, value = _split(digest)
    return value if algorithm == "sha256" else f"{algorithm}-{value}"


def _split(digest: str) -> tuple[str, str]:
    algorithm, separator, value = digest.partition(":")
    return (algorithm, value) if separator else ("sha256", digest)


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)
