"""What params.yaml says of the files to fetch; copy one from a URL, and tell whether it is the one meant."""

from __future__ import annotations

import hashlib
import http.client
import re
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from pipeline.core.types import Refusal

TIMEOUT = 30.0  # seconds without a byte
ATTEMPTS = 3
BLOCK = 1 << 20


class SourceError(Exception):
    """Why a source gave no usable file."""


def transfer(url: str, part: Path, *, expected: int | None, pause: float = 1.0) -> None:
    """Bring ``part`` to the URL's full length, appending to what it holds (http(s) by Range, file:// from the start).

    ``expected`` is the length in bytes the URL must have. Broken connections are tried again ``ATTEMPTS`` times,
    ``pause`` seconds apart. Whether what was appended belongs to it, only its digest tells. Raises SourceError;
    ``part`` then keeps what came, for another attempt or another URL.
    """
    why = ""
    for attempt in range(ATTEMPTS):
        time.sleep(pause if attempt else 0)
        try:
            _attempt(url, part, expected)
            return
        except ValueError as error:  # no URL at all
            raise SourceError(str(error)) from None
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416 and part.exists():  # nothing follows what is here
                return
            why = f"HTTP {error.code} {error.reason}"
            if error.code < 500 and error.code not in (408, 429):  # asking again will not help
                break
        except (OSError, http.client.HTTPException) as error:
            why = str(getattr(error, "reason", error)) or type(error).__name__
    raise SourceError(why)


def _attempt(url: str, part: Path, expected: int | None) -> None:
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "fcn-pipeline", **({"Range": f"bytes={have}-"} if have else {})}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as response:
        start = have if response.status == 206 else 0
        length = response.headers.get("Content-Length")
        total = None if length is None else start + int(length)
        if None not in (total, expected) and total != expected:
            raise SourceError(f"serves {total} bytes, expected {expected}")
        bar = tqdm(initial=start, total=total, desc=part.name[:24], unit="B", unit_scale=True, disable=None)
        with bar, part.open("r+b" if start else "wb") as file:
            file.seek(start)
            while block := response.read(BLOCK):
                file.write(block)
                bar.update(len(block))
            if total is not None and file.tell() < total:
                raise ConnectionError(f"connection closed after {file.tell()} of {total} bytes")


_DIGEST = re.compile(r"(?:(?:sha256:)?[0-9a-f]{64}|sha1:[0-9a-f]{40}|md5:[0-9a-f]{32})")


@dataclass(frozen=True, kw_only=True)
class Package:
    """A release whose wheel holds a file to fetch; ``sha256`` is the wheel's."""

    name: str
    version: str
    sha256: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", self.name) or not re.fullmatch(r"[0-9][\w.+!]*", self.version):
            raise Refusal(f"package {self.name!r} {self.version!r}: write a name and one version, such as 0.1.0")
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise Refusal(f"package {self.name}: {self.sha256!r} is no digest: write the wheel's sha256 in small hex")


@dataclass(frozen=True, kw_only=True)
class Download:
    """A file to fetch: ``urls`` best first, ``sha256`` the accepted digests, ``bytes`` the length the URLs serve.

    A ``package`` whose wheel holds it serves where no URL does.
    A digest is a bare sha256 in hex or ``sha256:…``, ``sha1:…``, ``md5:…``, for archives whose publisher gave only
    those. Without any, what comes is trusted and its sha256 reported.
    """

    name: str
    urls: tuple[str, ...] = ()
    sha256: tuple[str, ...] = ()
    bytes: int | None = None
    package: Package | None = None

    def __post_init__(self) -> None:
        if self.name == ".." or self.name != Path(self.name).name:
            raise Refusal(f"download name {self.name!r} is no plain file name: give it without a folder")
        for digest in self.sha256:
            if not _DIGEST.fullmatch(digest):
                raise Refusal(f"{self.name}: {digest!r} is no digest: write sha256 in small hex, or sha1:… or md5:…")

    def verified(self, path: Path) -> str:
        """The accepted digest that ``path`` has, or its sha256 where none is listed; else SourceError."""
        length = path.stat().st_size
        if not self.sha256:
            if self.bytes not in (None, length):
                raise SourceError(f"has {length} bytes, expected {self.bytes}")
            return _digest(path, "sha256")
        actual: dict[str, str] = {}
        for digest in self.sha256:
            algorithm, _, value = digest.rpartition(":")
            algorithm = algorithm or "sha256"
            actual[algorithm] = actual.get(algorithm) or _digest(path, algorithm)
            if actual[algorithm] == value:
                return digest
        found = ", ".join(f"{algorithm} {value}" for algorithm, value in actual.items())
        raise SourceError(f"has {found} ({length} bytes), expected {' or '.join(self.sha256)}")


@dataclass(frozen=True, kw_only=True)
class Weights:
    """How a classifier's weights want their input: ``(image / 255 * range - mean) / std``, channels in ``order``.

    ``crop`` is the side in pixels that it was trained on, ``width`` its channels in parts of the published net's.
    """

    format: str
    order: Literal["BGR", "RGB"]
    range: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop: int
    width: float
    source: str
    licence: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of ``downloads``: ``folder`` then holds ``files`` and nothing else, weights their ``manifest`` too."""

    folder: str
    files: tuple[Download, ...]
    manifest: Weights | None = None


def stored_name(digest: str) -> str:
    """A digest as a file name: the bare sha256, or another algorithm's with its name before it."""
    return digest.removeprefix("sha256:").replace(":", "-")


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
