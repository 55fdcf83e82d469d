"""Read a params row into a frozen dataclass, refusing whatever does not fit and saying how to write it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, field, fields
from difflib import get_close_matches
from typing import Any, TypeVar, get_args, get_type_hints

from pipeline.core.types import Refusal

T = TypeVar("T")


def bounded(
    default: Any = MISSING, *, least: float | None = None, above: float | None = None, below: float | None = None
) -> Any:
    """A dataclass field of a number with ``least`` ≤ it, ``above`` < it, it < ``below``."""
    return field(default=default, metadata={"least": least, "above": above, "below": below})


def read(kind: type[T], name: str, row: object) -> T:
    """Build the frozen dataclass ``kind`` from ``row``; ``name`` is the row's dotted name, for refusals.

    Understands int, float, str, Literal, tuple[str, ...], tuple[float, ...] and other dataclasses of these.

    A field that is absent takes the dataclass's default.

    Raises Refusal for an unknown field, a missing one without a default, a value of another type or out of bounds.
    """
    if not isinstance(row, Mapping):
        raise Refusal(f"{name} is {row!r}: it must be a map of {', '.join(_names(kind))}")
    known = _names(kind)
    for stranger in (key for key in row if key not in known):
        close = get_close_matches(str(stranger), known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise Refusal(f"{name} has no field {stranger!r}: {hint}it has {', '.join(known)}")
    entries = {entry.name: entry for entry in fields(kind)}  # type: ignore[arg-type]
    if missing := [key for key in known if key not in row and entries[key].default is MISSING]:
        raise Refusal(f"{name} lacks {', '.join(missing)}: give every field without a default a value")
    hints = get_type_hints(kind)
    values = {key: _value(hints[key], f"{name}.{key}", value) for key, value in row.items()}
    for key, value in values.items():
        _check_bounds(f"{name}.{key}", value, entries[key].metadata)
    return kind(**values)


def _names(kind: type) -> list[str]:
    return [entry.name for entry in fields(kind)]


def _value(kind: Any, name: str, value: object) -> Any:
    if kind is int or kind is float:
        return _number(kind, name, value)
    if kind is str:
        if not isinstance(value, str) or not value:
            raise Refusal(f"{name} is {value!r}: write a text")
        return value
    if kind in (tuple[str, ...], tuple[float, ...]):
        item_kind, like = (str, "texts, such as [semantic]") if kind == tuple[str, ...] else (float, "numbers, or []")
        if not isinstance(value, Sequence) or isinstance(value, str) or not (value or item_kind is float):
            raise Refusal(f"{name} is {value!r}: write a list of {like}")
        return tuple(_value(item_kind, f"{name}[{index}]", item) for index, item in enumerate(value))
    if choices := get_args(kind):
        if value not in choices:
            raise Refusal(f"{name} is {value!r}: choose {' or '.join(map(str, choices))}")
        return value
    return read(kind, name, value)


def _number(kind: type[int] | type[float], name: str, value: object) -> int | float:
    if isinstance(value, str) and (dotted := _dotted(value)):
        remedy = "take off its quotes" if dotted == value else f"write it with a dot, {dotted}"
        raise Refusal(f"{name} is the text {value!r}: {remedy}")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Refusal(f"{name} is {value!r}: write a number")
    if kind is int and not isinstance(value, int):
        raise Refusal(f"{name} is {value!r}: write a whole number")
    return kind(value)


def _dotted(text: str) -> str | None:
    """The number in ``text`` as YAML 1.1 and 1.2 both read it (1e-10 → 1.0e-10, 2.5e3 → 2.5e+3); None where is none."""
    try:
        float(text)
    except ValueError:
        return None
    mantissa, e, exponent = text.strip().lower().partition("e")
    if not e:
        return mantissa
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{exponent if exponent[0] in '+-' else '+' + exponent}"


def _check_bounds(name: str, value: Any, bounds: Mapping[str, Any]) -> None:
    least, above, below = (bounds.get(key) for key in ("least", "above", "below"))
    if least is not None and value < least:
        raise Refusal(f"{name} is {value}: it must be at least {least}")
    if above is not None and value <= above:
        raise Refusal(f"{name} is {value}: it must be greater than {above}")
    if below is not None and value >= below:
        raise Refusal(f"{name} is {value}: it must be less than {below}")
