"""What params.yaml says of the files to fetch, and whether a file is the one meant."""

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.core import files
from pipeline.core.types import Refusal
from pipeline.fetch.transfer import SourceError, refuse_page

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
    those. Without any, the first that comes is trusted.
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
            _refuse_other_format(path, self.name)
            return files.sha256(path)
        actual: dict[str, str] = {}
        for digest in self.sha256:
            algorithm, _, value = digest.rpartition(":")
            algorithm = algorithm or "sha256"
            actual[algorithm] = actual.get(algorithm) or files.digest(path, algorithm)
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


def _refuse_other_format(path: Path, name: str) -> None:
    """Raise SourceError where ``path`` cannot be what ``name`` says: trust would keep the mistake."""
    with path.open("rb") as file:
        start = file.read(512)
    refuse_page(name, start)
    if not start:
        raise SourceError("is empty")
    if name.endswith(".zip") and not zipfile.is_zipfile(path):  # its list of files lies at its end
        raise SourceError("is no zip, or a zip cut short")
    if name.endswith((".gz", ".tgz")) and not start.startswith(b"\x1f\x8b"):
        raise SourceError("is no gzip")


def stored_name(digest: str) -> str:
    """A digest as a file name: the bare sha256, or another algorithm's with its name before it."""
    return digest.removeprefix("sha256:").replace(":", "-")
