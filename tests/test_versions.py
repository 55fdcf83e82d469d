"""A run goes on only with the versions that params.yaml says; a refusal names what runs, what is written and where."""

from __future__ import annotations

import platform
import re
from importlib import metadata

import pytest

from pipeline.core import versions
from pipeline.core.types import Refusal

HERE = {"python": platform.python_version(), "pyarrow": metadata.version("pyarrow")}


@pytest.mark.parametrize(
    "runtime",
    [
        HERE,
        {"python": ">=3.11", "pyarrow": ">= 9", "click": ">=8.0.0"},  # 9 is less than 25, as a text it is more
        {"device": "cpu", "threads": 1, "precision": "fp32"},
        {"torch": metadata.version("torch").split("+")[0]},  # any build of it
    ],
)
def test_goes_on_with_what_is_written(runtime: dict[str, str]) -> None:
    versions.check(runtime)


@pytest.mark.parametrize(
    ("runtime", "message"),
    [
        (
            {"torch": "1.2.3"},
            r"torch \S+ runs here but params\.yaml says runtime\.torch: 1\.2\.3; install that",
        ),
        ({"pyarrow": ">=1000"}, r"pyarrow \S+ runs here but params\.yaml says runtime\.pyarrow: >=1000; "),
        ({"python": f">={HERE['python']}.1"}, r"python \S+ runs here but"),
        ({"python": 3.11}, rf"runtime\.python is 3\.11: write a version in quotes, '{HERE['python']}', or the least"),
        ({"python": "~=3.11"}, r"runtime\.python is '~=3\.11': write a version"),
        ({"pyarow": "25.0.1"}, r"params\.yaml names runtime\.pyarow, which is not installed here: install pyarow"),
    ],
)
def test_refuses_any_other(runtime: dict[str, object], message: str) -> None:
    with pytest.raises(Refusal) as refusal:
        versions.check(runtime)
    assert re.match(message, str(refusal.value))
    assert "\n" not in str(refusal.value)
