"""A row of ``folders``, and what values or colours in labels mean by it: ``road=7|8|#804080`` is read into a lookup."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.core.fields import bounded
from pipeline.core.png import PASCAL
from pipeline.core.types import Color, LabelSpec, Refusal


@dataclass(frozen=True, kw_only=True)
class Row:
    """``root`` and ``classes`` are needed; the rest says where the folder differs from what is usual.

    ``images`` and ``labels`` are globs or ``@list`` files relative to ``root``. ``encoding`` says what labels store:
    ``index``, values of grey; ``palette``, values of a palette image; ``color``. ``parse`` reads ``classes`` and
    ``ignore``, ``find.parse_splits`` reads ``splits``.
    """

    root: str
    images: str = "images/*"
    labels: str = "labels/*"
    encoding: Literal["index", "palette", "color"] = "index"
    classes: tuple[str, ...]
    ignore: tuple[str | int, ...] = ()
    splits: tuple[str, ...] = ("train=0.8", "val=0.2")
    rows_per_shard: int = bounded(500, least=1)


VOID = 255
MOST = 254  # classes whose indices 8 bits hold beside void

_PART = re.compile(r"\d{1,3}|#[0-9a-fA-F]{6}")


@dataclass(frozen=True, kw_only=True)
class Coding:
    """How labels are stored: ``encoding`` of the row, and what each stored value means.

    ``stored`` pairs every known value (0–255, or a colour as 0xrrggbb) with its class index or VOID, sorted by value.
    ``painted`` says that the palette is the row's, not VOC's; ``name`` is the row's dotted name, for refusals.
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
    def palette(self) -> tuple[Color, ...]:
        """256 colours: the classes', then VOC's own, which paint void light beige."""
        return (*self.label.palette, *PASCAL[len(self.label.palette) :])


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """One text of ``classes`` or ``ignore``: where it stands, the name before ``=`` and what follows."""

    where: str
    text: str
    name: str
    values: tuple[int, ...]
    colors: tuple[int, ...]


def parse(name: str, row: Row) -> Coding:
    """Understand ``classes``, ``ignore`` and ``encoding``: class i is the i-th text, ``name`` or ``name=part|part``.

    A part is a stored value (0–255) or a colour (#rrggbb). With encoding color the colours are what labels store, and
    the first is the one shown; otherwise the values are stored (none given: the class's place in the list), and the
    one colour is how the class is shown (none given: VOC's). ``ignore`` takes the same texts, and bare parts.

    Raises Refusal for what cannot be read, for names, values or colours given twice, and for too few or many classes.
    """
    by_color = row.encoding == "color"
    classes = [_entry(f"{name}.classes[{place}]", text) for place, text in enumerate(row.classes)]
    ignored = [_entry(f"{name}.ignore[{place}]", str(text), bare=True) for place, text in enumerate(row.ignore)]
    _check_names(name, classes)
    painted = _all_or_none(classes, "colors")
    by_place = not by_color and not _all_or_none(classes, "values")
    stored: dict[int, tuple[int, str]] = {}
    for meaning, entry in [*enumerate(classes), *((VOID, each) for each in ignored)]:
        values = (meaning,) if by_place and meaning != VOID else entry.colors if by_color else entry.values
        if not values or (entry.values if by_color else len(entry.colors) > (meaning != VOID)):
            wanted = "colours (#rrggbb) alone" if by_color else "values (0–255), and a class one colour to show it in"
            raise Refusal(f"{entry.where} is {entry.text!r}: with encoding {row.encoding} give it {wanted}")
        for value in values:
            if value in stored:
                both = f"{entry.where} and {stored[value][1]}"
                raise Refusal(f"{both} both claim {shown(value, by_color)}: let it mean one thing")
            stored[value] = meaning, entry.where
    first = [entry.colors[0] for entry in classes if painted]
    palette = [(one >> 16, one >> 8 & 255, one & 255) for one in first] or PASCAL[: len(classes)]
    return Coding(
        name=name,
        encoding=row.encoding,
        label=LabelSpec(classes=tuple(entry.name for entry in classes), palette=tuple(palette)),
        painted=painted,
        stored=tuple(sorted((value, meaning) for value, (meaning, _) in stored.items())),
    )


def _entry(where: str, text: str, *, bare: bool = False) -> _Entry:
    name, equals, after = (piece.strip() for piece in text.partition("="))
    if bare and not equals:
        name, after = "void", name
    parts = [part.strip() for part in after.split("|")] if after else []
    odd = next((part for part in parts if not _PART.fullmatch(part) or (part[0] != "#" and int(part) > 255)), None)
    if not name or odd is not None:
        what = "nothing before =" if not name else f"{odd!r}, which is neither a value (0–255) nor a colour (#rrggbb)"
        raise Refusal(f"{where} is {text!r}, with {what}: write name, or name= and such parts with | between them")
    colors = tuple(int(part[1:], 16) for part in parts if part[0] == "#")
    values = tuple(int(part) for part in parts if part[0] != "#")
    return _Entry(where=where, text=text, name=name, values=values, colors=colors)


def _check_names(name: str, classes: Sequence[_Entry]) -> None:
    names = [entry.name for entry in classes]
    if not 2 <= len(names) <= MOST:
        raise Refusal(f"{name}.classes has {len(names)}: a label has 2 to {MOST} classes, the background being one")
    for entry in classes:
        if entry.name == "void":
            raise Refusal(f"{entry.where} is named void, which is no class: move it to {name}.ignore")
        if names.count(entry.name) > 1:
            raise Refusal(f"{name}.classes names {entry.name} {names.count(entry.name)} times: name each once")


def _all_or_none(classes: Sequence[_Entry], what: str) -> bool:
    """Whether classes come with ``values`` (or ``colors``); Refusal where only some do."""
    without = [entry for entry in classes if not getattr(entry, what)]
    if without and len(without) < len(classes):
        raise Refusal(f"{without[0].where} is {without[0].text!r}, yet others have {what}: give all of them or none")
    return not without


def shown(stored: int, by_color: bool) -> str:
    """A stored value as people write it: 7, or #ff0000."""
    return f"#{stored:06x}" if by_color else str(stored)
