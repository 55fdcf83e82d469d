"""Python and the packages, as params.yaml's runtime wants them."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path

from ops._doctor.finding import FIX, OK, Finding, Params
from pipeline.core import versions
from pipeline.core.types import Refusal


def python(root: Path, params: Params) -> Iterator[Finding]:
    """The one that runs this, against ``runtime.python``."""
    yield from _checked("python", {"python": params["runtime"]["python"]}, platform.python_version())


def packages(root: Path, params: Params) -> Iterator[Finding]:
    """Each package that ``runtime`` names, against the one installed."""
    named = {
        name: wanted
        for name, wanted in params["runtime"].items()
        if name not in (*versions.SETTINGS, "launch", "python")
    }
    yield from _checked("runtime", named, ", ".join(f"{name} {wanted}" for name, wanted in named.items()))


def _checked(check: str, runtime: Params, text: str) -> Iterator[Finding]:
    whole = True
    for name, wanted in runtime.items():
        try:
            versions.check({name: wanted})
        except Refusal as refusal:
            whole = False
            yield Finding(check, FIX, str(refusal))
    if whole:
        yield Finding(check, OK, text)
