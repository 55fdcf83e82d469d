"""What the values or colours stored in labels mean: ``road=7|8|#804080`` read into classes, a palette and a lookup."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.types import Color, LabelSpec, Refusal, color
from pipeline.datasets.own.row import Row

VOID = 255
MOST = 254  # classes whose indices 8 bits hold beside void

_VOC_PALETTE = bytes(channel for index in range(256) for channel in color(index))
_COLOR = re.compile("#[0-9a-fA-F]{6}")


@dataclass(frozen=True, kw_only=True)
class Coding:
    """How labels are stored: ``encoding`` of the row, and what each stored value means.

    ``stored`` pairs every known value (0–255, or a colour as 0xrrggbb) with its class index or VOID, sorted by value.
    ``painted`` tells that the palette is the row's, not VOC's; ``name`` is the row's dotted name, for refusals.
    """

    name: str
    encoding: str
    label: LabelSpec
    painted: bool
    stored: tuple[tuple[int, int], ...]

    def classes(self, stored: NDArray[np.integer]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """H×W stored values → H×W class indices (255 = void), and where a value is known to neither (H×W)."""
        values, meanings = np.array(self.stored, np.uint32).T
        places = np.searchsorted(values, stored.astype(np.uint32)).clip(max=len(values) - 1)
        return meanings.astype(np.uint8)[places], values[places] != stored

    @property
    def palette(self) -> bytes:
        """256 RGB triples: the classes' colours, then VOC's own, which paint void light beige."""
        shown = bytes(channel for color in self.label.palette for channel in color)
        return shown + _VOC_PALETTE[len(shown) :]


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """One text of ``classes`` or ``ignore``: where it stands, the name before ``=`` and what follows."""

    where: str
    text: str
    name: str
    values: tuple[int, ...]
    colors: tuple[int, ...]


def parse(row: Row) -> Coding:
    """Understand ``classes``, ``ignore`` and ``encoding``: class i is the i-th text, ``name`` or ``name=part|part``.

    A part is a stored value (0–255) or a colour (#rrggbb). With encoding color the colours are what labels store, and
    the first is the one shown; otherwise the values are stored (none given: the class's place in the list), and the
    one colour is how the class is shown (none given: VOC's). ``ignore`` takes the same texts, and bare parts.

    Raises Refusal for what cannot be read, for names, values or colours given twice, and for too few or many classes.
    """
    classes = [_entry(f"{row.name}.classes[{place}]", text) for place, text in enumerate(row.classes)]
    ignored = [_entry(f"{row.name}.ignore[{place}]", text, bare=True) for place, text in enumerate(row.ignore)]
    _check_names(row, classes)
    meanings: dict[int, tuple[int, _Entry]] = {}
    by_color = row.encoding == "color"
    by_place = not by_color and not _all_or_none(classes, "values")
    for place, entry in enumerate(classes):
        stored = _colors(entry) if by_color else (place,) if by_place else entry.values
        _claim(meanings, entry, stored, place, by_color)
    for entry in ignored:
        _claim(meanings, entry, _colors(entry) if by_color else _values(entry), VOID, by_color)
    return Coding(
        name=row.name,
        encoding=row.encoding,
        label=LabelSpec(classes=tuple(entry.name for entry in classes), palette=_shown(row, classes)),
        painted=_all_or_none(classes, "colors"),
        stored=tuple(sorted((value, meaning) for value, (meaning, _) in meanings.items())),
    )


def _entry(where: str, text: str, *, bare: bool = False) -> _Entry:
    name, equals, parts = (piece.strip() for piece in text.partition("="))
    if bare and not equals:
        name, equals, parts = "", "=", name
    elif not name:
        raise Refusal(f"{where} is {text!r}: a name stands before =")
    values, colors = [], []
    for part in (piece.strip() for piece in parts.split("|")) if equals else ():
        if _COLOR.fullmatch(part):
            colors.append(int(part[1:], 16))
        elif part.isdecimal() and int(part) <= 255:
            values.append(int(part))
        else:
            raise Refusal(
                f"{where} is {text!r}, and {part!r} is neither a value (0–255) nor a colour (#rrggbb): "
                "write name, or name= and such parts with | between them"
            )
    return _Entry(where=where, text=text, name=name, values=tuple(values), colors=tuple(colors))


def _check_names(row: Row, classes: Sequence[_Entry]) -> None:
    if not 2 <= len(classes) <= MOST:
        hint = "does the background have none? " if len(classes) == 1 else ""
        raise Refusal(f"{row.name}.classes names {len(classes)}: {hint}a label has 2 to {MOST} classes")
    seen: dict[str, _Entry] = {}
    for entry in classes:
        if entry.name == "void":
            raise Refusal(f"{entry.where} is named void, which is no class: move it to {row.name}.ignore")
        if entry.name in seen:
            raise Refusal(f"{entry.where} and {seen[entry.name].where} are both named {entry.name}: name each once")
        seen[entry.name] = entry


def _colors(entry: _Entry) -> tuple[int, ...]:
    """What a label of encoding color stores."""
    if entry.values or not entry.colors:
        raise Refusal(f"{entry.where} is {entry.text!r}: labels of encoding color store #rrggbb, so give colours only")
    return entry.colors


def _values(entry: _Entry) -> tuple[int, ...]:
    """What an ignored entry stores where labels hold values."""
    if entry.colors or not entry.values:
        raise Refusal(f"{entry.where} is {entry.text!r}: labels of this encoding store values, so give 0–255")
    return entry.values


def _all_or_none(classes: Sequence[_Entry], what: str) -> bool:
    """Whether classes come with ``values`` (or ``colors``); Refusal where only some do."""
    without = [entry for entry in classes if not getattr(entry, what)]
    if without and len(without) < len(classes):
        kind = "stored values" if what == "values" else "colours"
        raise Refusal(
            f"{without[0].where} is {without[0].text!r}, yet others have {kind}: give all of them one or none"
        )
    return not without


def _claim(
    meanings: dict[int, tuple[int, _Entry]], entry: _Entry, stored: Sequence[int], meaning: int, by_color: bool
) -> None:
    for value in stored:
        if value in meanings:
            written = shown(value, by_color)
            other = meanings[value][1]
            raise Refusal(f"{entry.where} and {other.where} both claim {written}: let it mean one thing")
        meanings[value] = (meaning, entry)


def _shown(row: Row, classes: Sequence[_Entry]) -> tuple[Color, ...]:
    """The palette: a class's first colour, or VOC's by its place."""
    if not _all_or_none(classes, "colors"):
        return tuple(color(place) for place in range(len(classes)))
    return tuple(_palette(row, classes))


def _palette(row: Row, classes: Sequence[_Entry]) -> Iterator[Color]:
    seen: dict[int, _Entry] = {}
    for entry in classes:
        if len(entry.colors) > 1 and row.encoding != "color":
            raise Refusal(
                f"{entry.where} is {entry.text!r}: labels store values, so one colour is enough to show it in"
            )
        color = entry.colors[0]
        if color in seen:
            raise Refusal(f"{entry.where} and {seen[color].where} are both shown in {shown(color, True)}: use two")
        seen[color] = entry
        yield color >> 16, color >> 8 & 255, color & 255


def shown(stored: int, by_color: bool) -> str:
    """A stored value as people write it: 7, or #ff0000."""
    return f"#{stored:06x}" if by_color else str(stored)
