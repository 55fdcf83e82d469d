"""A row of ``folders``, and what values or colours in labels mean by it: ``road=7|8|#804080`` is read into a lookup."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.core.fields import bounded, nearest
from pipeline.core.png import PASCAL
from pipeline.core.types import Color, LabelSpec, Refusal


@dataclass(frozen=True, kw_only=True)
class Row:
    """``root`` and ``classes`` are needed; the rest says where the folder differs from what is usual.

    ``images`` and ``labels`` are globs or ``@list`` files relative to ``root``. ``encoding`` says what labels store:
    ``index``, values of grey; ``palette``, values of a palette image; ``color``; ``masks``, one file a class; ``coco``,
    JSON of many images; ``labelme``, JSON of one. ``parse`` reads ``classes`` and ``ignore``, ``splits.parse`` reads
    ``splits``, ``splits.grouped`` reads ``group``.
    """

    root: str
    images: str = "images/*"
    labels: str = "labels/*"
    encoding: Literal["index", "palette", "color", "masks", "coco", "labelme"] = "index"
    classes: tuple[str, ...]
    ignore: tuple[str | int, ...] = ()
    splits: tuple[str, ...] = ("train=0.8", "val=0.2")
    group: str | None = None
    rows_per_shard: int = bounded(500, least=1)


VOID = 255
LONGEST = 60  # characters of a class's name
MOST = 254  # classes whose indices 8 bits hold beside void

BY_NAME = ("masks", "coco", "labelme")
GREATEST = 65535  # value of a 16-bit label

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, kw_only=True)
class Coding:
    """How labels are stored: ``encoding`` of the row, and what each stored value means.

    ``stored`` pairs every known value (0–65535, or a colour as 0xrrggbb) with its class index or VOID, sorted by value;
    ``named`` does so for the names that tools know classes by, where the encoding is one of ``BY_NAME``.
    ``painted`` says that the palette is the row's, not VOC's; ``name`` is the row's dotted name, for refusals.
    """

    name: str
    encoding: str
    label: LabelSpec
    painted: bool
    stored: tuple[tuple[int, int], ...]
    named: Mapping[str, int]

    def meaning(self, where: str, name: str) -> int:
        """The class index of a name, or VOID; Refusal that begins with ``where`` for a name that is neither's."""
        if name in self.named:
            return self.named[name]
        hint = nearest(name, self.named)
        remedy = f"{hint}give it a class in {self.name}.classes, or list it in {self.name}.ignore"
        raise Refusal(f"{where} is of {name!r}, which no class names: {remedy}")

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
    names: tuple[str, ...]


def parse(name: str, row: Row) -> Coding:
    """Understand ``classes``, ``ignore`` and ``encoding``: class i is the i-th text, ``name`` or ``name=part|part``.

    A part is a stored value (0–65535), a name (encodings ``BY_NAME``) or a colour (#rrggbb). With encoding color the
    colours are what labels store, and the first is the one shown; otherwise the values or names are stored (none given:
    the class's place in the list, or its name), and the one colour is how the class is shown (none given: VOC's).
    ``ignore`` takes the same texts, and bare parts.

    Raises Refusal for what cannot be read, for names, values or colours given twice, and for too few or many classes.
    """
    by_color, by_name = row.encoding == "color", row.encoding in BY_NAME
    classes = [_entry(f"{name}.classes[{place}]", text, by_name) for place, text in enumerate(row.classes)]
    ignored = [
        _entry(f"{name}.ignore[{place}]", str(text), by_name, bare=True) for place, text in enumerate(row.ignore)
    ]
    _check_names(name, classes)
    painted = _all_or_none(classes, "colors")
    by_place = not by_color and not by_name and not _all_or_none(classes, "values")
    stored: dict[int | str, tuple[int, str]] = {}
    for meaning, entry in [*enumerate(classes), *((VOID, each) for each in ignored)]:
        values: tuple[int | str, ...] = entry.colors if by_color else entry.names if by_name else entry.values
        if by_place and meaning != VOID:
            values = (meaning,)
        if not values or (entry.values if by_color else len(entry.colors) > (meaning != VOID)):
            what = "names" if by_name else f"values (0–{GREATEST})"
            wanted = "colours (#rrggbb) alone" if by_color else f"{what}, and a class one colour to show it in"
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
        stored=tuple(sorted((value, meaning) for value, (meaning, _) in stored.items() if isinstance(value, int))),
        named={value: meaning for value, (meaning, _) in stored.items() if isinstance(value, str)},
    )


def _entry(where: str, text: str, by_name: bool, *, bare: bool = False) -> _Entry:
    name, equals, after = (piece.strip() for piece in text.partition("="))
    if bare and not equals:
        name, after = "void", name
    parts = [part.strip() for part in after.split("|")] if after else []
    colors = tuple(int(part[1:], 16) for part in parts if _COLOR.fullmatch(part))
    rest = [part for part in parts if not _COLOR.fullmatch(part)]
    odd = [part for part in rest if not part or part[0] == "#" or not (by_name or _is_value(part))]
    if not name or odd:
        kind = "name" if by_name else f"value (0–{GREATEST})"
        what = f"{odd[0]!r}, which is neither a {kind} nor a colour (#rrggbb)" if name else "nothing before ="
        raise Refusal(f"{where} is {text!r}, with {what}: write name, or name= and such parts with | between them")
    if by_name:
        return _Entry(where=where, text=text, name=name, values=(), colors=colors, names=tuple(rest) or (name,))
    return _Entry(where=where, text=text, name=name, values=tuple(map(int, rest)), colors=colors, names=())


def _is_value(text: str) -> bool:
    return bool(re.fullmatch(r"\d{1,5}", text)) and int(text) <= GREATEST


def _check_names(name: str, classes: Sequence[_Entry]) -> None:
    names = [entry.name for entry in classes]
    if not 2 <= len(names) <= MOST:
        raise Refusal(f"{name}.classes has {len(names)}: a label has 2 to {MOST} classes, the background being one")
    for entry in classes:
        if len(entry.name) > LONGEST or not entry.name.isprintable():
            remedy = f"a class's name has at most {LONGEST} characters, all visible"
            raise Refusal(f"{entry.where} is {entry.name[:LONGEST]!r}: {remedy}")
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


def shown(stored: int | str, by_color: bool) -> str:
    """A stored value as people write it: 7, or #ff0000."""
    return f"#{stored:06x}" if by_color else str(stored)
