"""Copy one URL into a file, going on where an earlier attempt stopped."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from pathlib import Path

from tqdm import tqdm

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
