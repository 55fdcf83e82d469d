"""Read params: a row into a frozen dataclass, refusing whatever does not fit and saying how to write it."""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, field, fields
from difflib import get_close_matches
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from pipeline.core.types import Refusal

T = TypeVar("T")


def bounded(
    default: Any = MISSING, *, least: float | None = None, above: float | None = None, below: float | None = None
) -> Any:
    """A dataclass field of a number with ``least`` ≤ it, ``above`` < it, it < ``below``."""
    return field(default=default, metadata={"least": least, "above": above, "below": below})


def read(kind: type[T], name: str, row: object) -> T:
    """Build the frozen dataclass ``kind`` from ``row``; ``name`` is the row's dotted name, for refusals.

    Understands int, float, str, Literal, other dataclasses, tuple[X, ...] and X | None of these. A field that is
    absent takes the dataclass's default; a list may be empty where its default is.

    Raises Refusal for an unknown field, a missing one without a default, a value of another type or out of bounds.
    """
    entries = {entry.name: entry for entry in fields(kind)}  # type: ignore[arg-type] # T is a dataclass
    if not isinstance(row, Mapping):
        raise Refusal(f"{name} is {row!r}: it must be a map of {', '.join(entries)}")
    for stranger in (key for key in row if key not in entries):
        raise Refusal(f"{name} has no field {stranger!r}: {nearest(stranger, entries)}it has {', '.join(entries)}")
    if missing := [key for key in entries if key not in row and entries[key].default is MISSING]:
        raise Refusal(f"{name} lacks {', '.join(missing)}: give every field without a default a value")
    hints = get_type_hints(kind)
    values = {}
    for key, value in row.items():
        values[key] = _value(hints[key], f"{name}.{key}", value, empty=entries[key].default == ())
        _check_bounds(f"{name}.{key}", values[key], entries[key].metadata)
    return kind(**values)


def counts(name: str, texts: Sequence[str], wanted: Sequence[str], *, several: bool = False) -> dict[str, list[int]]:
    """How many samples each split has: ``["train=1464", …]`` → ``{"train": [1464], …}``.

    Where ``several`` may stand, also ``train=120|1464``. ``name`` is the list's dotted name, for refusals. A list, for
    rows differ in their splits.
    Raises Refusal for an entry that is no ``split=number``, and unless it names exactly the ``wanted`` splits.
    """
    numbers = {}
    for text in texts:
        found = re.fullmatch(r"(.+)=(\d+(?:\|\d+)*)" if several else r"(.+)=(\d+)", text)
        if not found:
            raise Refusal(f"{name} has {text!r}: write it as split=number")
        numbers[found[1]] = [int(number) for number in found[2].split("|")]
    if set(numbers) != set(wanted):
        raise Refusal(f"{name} counts {', '.join(numbers)}: count {', '.join(wanted)}, each once")
    return numbers


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{"solver": {"lr": 1}}`` as ``{"solver.lr": 1}``; an empty map is a value."""
    found: dict[str, Any] = {}
    for name, value in tree.items():
        below = isinstance(value, Mapping) and value
        found |= flat(value, f"{prefix}{name}.") if below else {f"{prefix}{name}": value}
    return found


def canonical(value: Any) -> str:
    """A param as text: equal values give equal text, whichever YAML reader they came through."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def nearest(text: object, known: Iterable[object]) -> str:
    """``did you mean 'images'? `` or nothing."""
    close = get_close_matches(str(text), [str(each) for each in known], n=1)
    return f"did you mean {close[0]!r}? " if close else ""


def _value(kind: Any, name: str, value: object, *, empty: bool = False) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if kind is int or kind is float:
        return _number(kind, name, value)
    if kind is str:
        return _text(name, value)
    if origin is tuple:
        if not isinstance(value, Sequence) or isinstance(value, str) or not (value or empty):
            like = {str: "texts, such as [semantic]", float: "numbers"}.get(inner[0], "maps")
            raise Refusal(f"{name} is {value!r}: write a list of {like}{', or []' if empty else ''}")
        return tuple(_value(inner[0], f"{name}[{index}]", item) for index, item in enumerate(value))
    if origin is UnionType:
        return value if type(value) in inner else _value(inner[0], name, value)
    if inner:
        if value not in inner:
            raise Refusal(f"{name} is {value!r}: {nearest(value, inner)}choose {' or '.join(map(str, inner))}")
        return value
    return read(kind, name, value)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        odd = "" if isinstance(value, str) else ", in quotes, for YAML takes this for something else (# for a comment)"
        raise Refusal(f"{name} is {value!r}: write a text{odd}")
    return value.strip()


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
    if (least := bounds.get("least")) is not None and value < least:
        raise Refusal(f"{name} is {value}: it must be at least {least}")
    if (above := bounds.get("above")) is not None and value <= above:
        raise Refusal(f"{name} is {value}: it must be greater than {above}")
    if (below := bounds.get("below")) is not None and value >= below:
        raise Refusal(f"{name} is {value}: it must be less than {below}")
