"""DVC parses params.yaml seven times for each stage, in pure Python: here once for as long as it stays the same."""

from __future__ import annotations

from copy import deepcopy
from functools import lru_cache
from typing import Any

from dvc.utils.serialize import LOADERS, load_yaml, parse_yaml


def remember() -> None:
    """Have DVC load .yaml files through the memory of this process."""
    LOADERS[".yaml"] = _load


def _load(path: str, fs: Any = None, **options: Any) -> Any:
    try:
        with (fs.open if fs else open)(path, encoding="utf-8", **options) as file:
            text = file.read()
    except UnicodeDecodeError:
        return load_yaml(path, fs, **options)  # which says so
    return deepcopy(_parsed(text, path))


@lru_cache(maxsize=8)
def _parsed(text: str, path: str) -> Any:
    return parse_yaml(text, path)
