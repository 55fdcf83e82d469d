"""The versions that params.yaml says results are made with, against those that run here."""

from __future__ import annotations

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
    for name, wanted in rows.items():
        if name not in SETTINGS:
            _check(group, name, wanted)


def _check(group: str, name: str, wanted: Any) -> None:
    running = _running(group, name)
    written = VERSION.fullmatch(wanted) if isinstance(wanted, str) else None
    if written is None:
        raise Refusal(
            f"{group}.{name} is {wanted!r}: write a version in quotes, {running!r}, or the least, {f'>={running}'!r}"
        )
    least, version = written.groups()
    if _release(running) < _release(version) if least else running != version:
        raise Refusal(
            f"{name} {running} runs here but params.yaml says {group}.{name}: {wanted}; "
            f"install that version or set {group}.{name} (every stage that reads it then reruns)"
        )


def _running(group: str, name: str) -> str:
    if name == "python":
        return platform.python_version()
    try:
        return metadata.version(name).split("+")[0]
    except metadata.PackageNotFoundError:
        raise Refusal(f"params.yaml names {group}.{name}, which is not installed here: install {name}") from None


def _release(version: str) -> tuple[int, ...]:
    """The leading numbers: 2.16.0.dev20260901 → (2, 16, 0)."""
    numbers = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, numbers[0].split("."))) if numbers else ()
