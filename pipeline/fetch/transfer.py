"""Copy one URL into a file, going on where an earlier attempt stopped."""

from __future__ import annotations

import http.client
import re
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO

from tqdm import tqdm

TIMEOUT = 30.0  # seconds without a byte
ATTEMPTS = 3
BLOCK = 1 << 20


class SourceError(Exception):
    """Why a source gave no usable file."""


def transfer(url: str, part: Path, *, expected: int | None, pause: float = 1.0) -> None:
    """Bring ``part`` to the URL's full length, appending to what it holds (http(s) by Range, file:// from the start).

    ``expected`` is the length in bytes the URL must have. Broken connections are tried again ``ATTEMPTS`` times,
    ``pause`` seconds apart. Raises SourceError; ``part`` then keeps what came, for another attempt or another URL.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _attempt(url, part, expected)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code < 500 and error.code not in (408, 429):  # asking again will not help
                raise SourceError(f"HTTP {error.code} {error.reason}") from None
            why = f"HTTP {error.code} {error.reason}"
        except urllib.error.URLError as error:
            why = str(error.reason)
        except (OSError, http.client.HTTPException) as error:
            why = str(error) or type(error).__name__
        except ValueError as error:  # no URL at all
            raise SourceError(str(error)) from None
        if attempt < ATTEMPTS:
            time.sleep(pause)
    raise SourceError(why)


def _attempt(url: str, part: Path, expected: int | None) -> None:
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "fcn-pipeline", **({"Range": f"bytes={have}-"} if have else {})}
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        error.close()
        if _total(error.headers.get("Content-Range")) == have:
            return  # all of it was here already
        part.unlink()  # longer than the file, so no piece of it
        _attempt(url, part, expected)
        return
    with response:
        start = have if response.status == 206 else 0
        length = response.headers.get("Content-Length")
        total = None if length is None else start + int(length)
        if start and _total(response.headers.get("Content-Range")) != total:
            part.unlink()
            raise ConnectionError("another range came than the one asked for")
        if None not in (total, expected) and total != expected:
            raise SourceError(f"serves {total} bytes, expected {expected}")
        _copy(response, part, start, total)


def _copy(response: IO[bytes], part: Path, start: int, total: int | None) -> None:
    bar = tqdm(initial=start, total=total, desc=part.name[:24], unit="B", unit_scale=True, disable=None)
    with bar, part.open("r+b" if start else "wb") as file:
        file.seek(start)
        while block := response.read(BLOCK):
            file.write(block)
            bar.update(len(block))
        have = file.tell()
    if total is not None and have < total:
        raise ConnectionError(f"connection closed after {have} of {total} bytes")


def _total(content_range: str | None) -> int | None:
    """``bytes 5-9/10`` or ``bytes */10`` → 10."""
    found = re.fullmatch(r"bytes [\d*-]+/(\d+)", content_range or "")
    return int(found[1]) if found else None
