"""Copy a file from a URL, going on where an earlier copy broke off."""

import http.client
import time
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path

from tqdm import tqdm

TIMEOUT = 30.0  # seconds without a byte
ATTEMPTS = 3
BLOCK = 1 << 20


class SourceError(Exception):
    """Why a source gave no usable file."""


def transfer(url: str, part: Path, *, expected: int | None, known: bool, pause: float = 1.0) -> None:
    """Bring ``part`` to the URL's full length, appending to what it holds (http(s) by Range, file:// from the start).

    ``expected`` is the length in bytes the URL must have. ``known`` says that a digest will tell whether the whole is
    right, so that a piece from anywhere may go on. Without one only a piece of this URL goes on, and only while the
    server gives it the same ETag or date: ``part`` + ``.from`` keeps them, also for a later run.
    Broken connections are tried again ``ATTEMPTS`` times, ``pause`` seconds apart.
    Raises SourceError; ``part`` then keeps what came, for another attempt or another URL.
    """
    why = ""
    for attempt in range(ATTEMPTS):
        time.sleep(pause if attempt else 0)
        try:
            _attempt(url, part, expected, known)
            return
        except ValueError as error:  # no URL at all
            raise SourceError(str(error)) from None
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416 and part.exists():  # nothing follows what is here
                if known or error.headers.get("Content-Range") == f"bytes */{part.stat().st_size}":
                    return
                part.unlink()
            why = f"HTTP {error.code} {error.reason}"
            if error.code < 500 and error.code not in (408, 416, 429):  # asking again will not help
                break
        except (OSError, http.client.HTTPException) as error:
            why = str(getattr(error, "reason", error)) or type(error).__name__
    raise SourceError(why)


def _attempt(url: str, part: Path, expected: int | None, known: bool) -> None:
    have, mark = _piece(url, part, known)
    asked = {"Range": f"bytes={have}-", **({"If-Range": mark} if mark else {})} if have else {}
    request = urllib.request.Request(url, headers={"User-Agent": "fcn-pipeline", **asked})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        start = have if response.status == 206 else 0
        given = _mark(response.headers)
        if start and (
            not response.headers.get("Content-Range", f"bytes {start}-").startswith(f"bytes {start}-")
            or (mark and given not in ("", mark))
        ):
            part.unlink()
            raise ConnectionError(f"sent another piece than the one from byte {start}")
        length = response.headers.get("Content-Length")
        total = None if length is None else start + int(length)
        if None not in (total, expected) and total != expected:
            raise SourceError(f"serves {total} bytes, expected {expected}")
        if total is expected is None and not known and not getattr(response, "chunked", False):
            raise SourceError("tells no length, so a cut would not be seen: list bytes or a digest")
        block = response.read(BLOCK)
        if not start:
            refuse_page(part.name.removesuffix(".part"), block)
        bar = tqdm(initial=start, total=total, desc=part.name[:24], unit="B", unit_scale=True, disable=None)
        with bar, part.open("r+b" if start else "wb") as file:
            origin(part).write_text(f"{url}\n{given}" if not start or mark else "", encoding="utf-8")
            file.seek(start)
            while block:
                file.write(block)
                bar.update(len(block))
                block = response.read(BLOCK)
            if total is not None and file.tell() < total:
                raise ConnectionError(f"connection closed after {file.tell()} of {total} bytes")


def origin(part: Path) -> Path:
    """Where it is written from which URL ``part`` came, and the mark that the server gave the file."""
    return part.with_name(f"{part.name}.from")


def _piece(url: str, part: Path, known: bool) -> tuple[int, str]:
    """How many bytes of ``part`` to go on from, and the mark to ask with: none if a digest will tell."""
    have = part.stat().st_size if part.exists() else 0
    if known or not have or not origin(part).exists():
        return (have if known else 0), ""
    source, _, mark = origin(part).read_text(encoding="utf-8").partition("\n")
    return (have, mark) if source == url and mark else (0, "")


def _mark(headers: Message) -> str:
    """What the server calls this version of the file: an ETag that stands for its bytes, or its date."""
    tag = str(headers.get("ETag", ""))
    return tag if tag and not tag.startswith("W/") else str(headers.get("Last-Modified", ""))


def refuse_page(name: str, start: bytes) -> None:
    """Raise SourceError where a file called ``name`` starts as HTML or XML does and its name does not say so."""
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") and Path(name).suffix not in (".html", ".svg", ".xml"):
        raise SourceError("sends a web page, not the file")
