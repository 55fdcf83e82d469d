"""Read a row of ``folders`` in params.yaml into a frozen dataclass, or say what to write instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

from pipeline.core.types import Refusal

ENCODINGS = ("index", "palette", "color")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A ``folders`` row as written; ``name`` is its dotted name, for refusals.

    ``images`` and ``labels`` are globs or ``@list`` files relative to ``root``; ``encoding`` is one of ENCODINGS; the
    lists are not yet understood.
    """

    name: str
    root: str
    images: str
    labels: str
    encoding: str
    classes: tuple[str, ...]
    ignore: tuple[str, ...]
    splits: tuple[str, ...]


FIELDS = tuple(entry.name for entry in fields(Row) if entry.name != "name")
OTHERS = ("rows_per_shard",)  # leaves of the same row that are the shard writer's business


def read(name: str, row: object) -> Row:
    """The row named ``name`` (dotted, as ``folders.leaves``), each field there and of its type.

    Raises Refusal for an unknown or missing field and for a value of another type.
    """
    if not isinstance(row, Mapping):
        raise Refusal(f"{name} is {row!r}: it must be a map of {', '.join(FIELDS)}")
    for stranger in (key for key in row if key not in (*FIELDS, *OTHERS)):
        raise Refusal(f"{name} has no field {stranger!r}: {_nearest(stranger, FIELDS)}it has {', '.join(FIELDS)}")
    if missing := [key for key in FIELDS if key not in row]:
        raise Refusal(f"{name} lacks {', '.join(missing)}: give every field a value")
    encoding = row["encoding"]
    if encoding not in ENCODINGS:
        hint = _nearest(encoding, ENCODINGS)
        raise Refusal(f"{name}.encoding is {encoding!r}: {hint}choose {', '.join(ENCODINGS)}")
    return Row(
        name=name,
        encoding=encoding,
        **{key: _text(f"{name}.{key}", row[key]) for key in ("root", "images", "labels")},
        classes=_texts(f"{name}.classes", row["classes"], "[soil=#000000, leaf=#ff0000]"),
        ignore=_texts(f"{name}.ignore", row["ignore"], "[255], or [] for none", numbers=True, empty=True),
        splits=_texts(f"{name}.splits", row["splits"], "[train=0.8, val=0.2]"),
    )


def _nearest(text: object, known: Iterable[str]) -> str:
    close = get_close_matches(str(text), list(known), n=1)
    return f"did you mean {close[0]!r}? " if close else ""


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Refusal(f"{name} is {value!r}: write a text")
    return value.strip()


def _texts(name: str, value: object, like: str, *, numbers: bool = False, empty: bool = False) -> tuple[str, ...]:
    """A list of texts, where ``numbers`` also of whole numbers."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not (value or empty):
        raise Refusal(f"{name} is {value!r}: write a list such as {like}")
    return tuple(_item(f"{name}[{place}]", item, numbers) for place, item in enumerate(value))


def _item(name: str, item: Any, numbers: bool) -> str:
    if item is None:
        raise Refusal(f"{name} is empty: YAML takes a # that begins a value for a comment; quote it, '#808080'")
    if numbers and isinstance(item, int) and not isinstance(item, bool):
        return str(item)
    if not isinstance(item, str):
        raise Refusal(f"{name} is {item!r}, which is no text to YAML: put it in quotes")
    return _text(name, item)
