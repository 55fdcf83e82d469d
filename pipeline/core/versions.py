"""The versions that params.yaml says results are made with, against those that run here."""

import platform
import re
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from pipeline.core.types import Refusal

SETTINGS = ("launch", "device", "threads", "precision", "engine")  # whatever else a group names is a version
VERSION = re.compile(r"(>=)?\s*(\d+(?:\.\w+)*)")


def check(group: str, rows: Mapping[str, Any]) -> None:
    """Go on only if Python and each package that ``rows``, params.yaml's ``group``, names is as it says.

    A version is exact (``2.15.0``, in any build: 2.15.0+cu132 is one) or the least one that will do (``>=3.11``).
    Nothing is imported: torch alone would cost two seconds.

    Raises Refusal where one is another, absent, or not written as a version.
    """
    for package in (name for name in rows if name not in SETTINGS):
        name, wanted, running = f"{group}.{package}", rows[package], _running(group, package)
        written = VERSION.fullmatch(wanted) if isinstance(wanted, str) else None
        if written is None:
            least = f">={running}"
            raise Refusal(f"{name} is {wanted!r}: write a version in quotes, {running!r}, or the least, {least!r}")
        if _release(running) < _release(written[2]) if written[1] else running != written[2]:
            raise Refusal(
                f"{package} {running} runs here but params.yaml says {name}: {wanted}; "
                f"install that version or set {name} (every stage that reads it then reruns)"
            )


def _running(group: str, package: str) -> str:
    if package == "python":
        return platform.python_version()
    try:
        return metadata.version(package).split("+")[0]
    except metadata.PackageNotFoundError:
        raise Refusal(f"params.yaml names {group}.{package}, which is not installed here: install {package}") from None


def _release(version: str) -> tuple[int, ...]:
    """The leading numbers: 2.16.0.dev20260901 → (2, 16, 0)."""
    numbers = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, numbers[0].split("."))) if numbers else ()
