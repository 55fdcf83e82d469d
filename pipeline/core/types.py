"""The words every part of the house shares: a label set, a dataset's facts, one sample, one refusal."""

import json
import logging
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

Color = tuple[int, int, int]


class Refusal(Exception):
    """Bad input, in one line that names the culprit and the remedy; stages print it and exit 1."""

    def __str__(self) -> str:
        return visible(super().__str__())


def visible(text: str) -> str:
    """As shown in messages: characters that nobody sees, such as macOS's narrow space in names, as ``\\u202f``."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def drawable(names: Sequence[str], letters: Container[int], places: Iterable[int] | None = None) -> list[str]:
    """Classes' names in the ``letters`` of a font; what it lacks is left out, and told once.

    A name that loses letters begins with the class's index, its place or as ``places`` has it: ``7: cat``.
    """
    drawn = []
    for place, name in zip(range(len(names)) if places is None else places, names, strict=True):
        rest = "".join(letter for letter in name if ord(letter) in letters).strip()
        drawn.append(name if rest == name.strip() else f"{place}: {rest}" if rest else str(place))
    if drawn != [*names]:
        _tell("".join(sorted({letter for name in names for letter in name if ord(letter) not in letters})))
    return drawn


@cache
def _tell(lacking: str) -> None:
    logging.warning("no font for %s: pictures name such classes by their index", visible(lacking))


def color(index: int) -> Color:
    """PASCAL's colour of a label value: bit b of channel c is bit 3(7-b)+c of the index, so 255 is (224, 224, 192)."""
    red, green, blue = (
        sum((index >> 3 * place + channel & 1) << 7 - place for place in range(8)) for channel in range(3)
    )
    return red, green, blue


@dataclass(frozen=True, kw_only=True)
class LabelSpec:
    """One label map's classes; class i is painted ``palette[i]`` (RGB, 0–255), ``ignore_label`` never counts."""

    classes: tuple[str, ...]
    palette: tuple[Color, ...]
    ignore_label: int = 255

    def __post_init__(self) -> None:
        if len(self.classes) != len(self.palette):
            raise Refusal(f"{len(self.classes)} classes but {len(self.palette)} colours: give each class one")

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return document

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "LabelSpec":
        palette = tuple((int(r), int(g), int(b)) for r, g, b in row["palette"])
        return cls(classes=tuple(row["classes"]), palette=palette, ignore_label=int(row["ignore_label"]))


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """What a dataset is, independent of its samples; travels in every manifest.

    ``images`` lists the image columns, the photograph first; ``modes`` gives Pillow's mode of those that are not RGB
    (``I;16`` for millimetres of depth, ``L`` for a 0/255 map). ``mean`` maps an image column to its published
    per-channel mean, channels in the order stored (RGB for a photograph), as nets see them: a depth as ln(mm).
    """

    name: str
    images: tuple[str, ...]
    labels: Mapping[str, LabelSpec]
    mean: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    modes: Mapping[str, str] = field(default_factory=dict)

    def mode(self, column: str) -> str:
        """Pillow's mode of an image column."""
        return self.modes.get(column, "RGB")

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "DatasetSpec":
        labels = {head: LabelSpec.from_json(label) for head, label in row["labels"].items()}
        mean = {column: tuple(mean) for column, mean in row["mean"].items()}
        return cls(name=row["name"], images=tuple(row["images"]), labels=labels, mean=mean, modes=dict(row["modes"]))


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """A file's bytes as published and the name it had: Hugging Face's ``Image`` convention."""

    bytes: bytes
    path: str


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One image with its labels, still encoded; all maps are ``height`` × ``width``."""

    id: str
    height: int
    width: int
    images: Mapping[str, Encoded]
    labels: Mapping[str, Encoded]
