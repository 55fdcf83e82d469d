"""Look at the labels of a folder, and propose what a row of ``folders`` says of them; draw some."""

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import isqrt
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from pipeline.convert import writer
from pipeline.core import files
from pipeline.core.types import DatasetSpec, Encoded, Refusal, Sample
from pipeline.datasets.own import folder
from pipeline.datasets.own.coding import MOST, Row, parse, shown
from pipeline.datasets.own.folder import Folder
from pipeline.datasets.own.images import decode, depth
from pipeline.datasets.own.labels import as_indices
from pipeline.describe import pictures
from pipeline.describe.pictures import SAMPLES
from pipeline.pairs import Pairs
from pipeline.ways import document

LOOKED_AT = 48  # labels; `fcn data check` reads all
PIXELS = 4_000_000  # of a label at most, every n-th row and column of a larger one
FEW = 20  # values up to here are places in a list, though a label may miss some
VOC_VOID = 0xE0E0C0
LARGE = 1_500_000  # pixels of most pictures, above which training on whole ones is slow and takes gigabytes


@dataclass(frozen=True, kw_only=True)
class Look:
    """What labels store: how, and each value's pixels; how many were looked at, and whether most are LARGE.

    Of labels that name their classes, ``names`` are these, and values are their places; void is 255.
    """

    encoding: str
    names: Sequence[str] = ()
    pixels: Mapping[int, int]
    labels: int
    large: bool


def look(found: Pairs) -> Look:
    """Decode some of the labels, spread evenly.

    Palettes that number colours anew in every file are read by colour. Raises Refusal for labels that no row can read:
    JPEGs, soft edges, more values than classes can be.
    """
    chosen = _spread(found.ids, LOOKED_AT)
    if found.encoding:
        return _named(found, chosen)
    encodings: set[str] = set()
    sizes: list[int] = []
    pixels: Counter[int] = Counter()
    painted: Counter[int] = Counter()
    colors: dict[int, set[int]] = {}
    for name in chosen:
        file = found.layout.read(name)["semantic"]
        image, _ = decode(file, 16)
        encoding = {"P": "palette", "L": "index", "1": "index", "I;16": "index"}.get(image.mode, "color")
        encodings.add(encoding)
        sizes.append(image.width * image.height)
        counts = _counts(file, image, encoding)
        pixels.update(counts)
        palette = bytes(image.getpalette() or ()).ljust(3 * 256, b"\0") if encoding == "palette" else b""
        for value, count in counts.items():
            color = int.from_bytes(palette[3 * value : 3 * value + 3]) if palette else value
            colors.setdefault(value, set()).add(color)
            painted[color] += count
    if {0, 255} < set(pixels) and len(pixels) > 8 and sorted(pixels)[-2] > 200 and encodings == {"index"}:
        what = "have nearly every value from 0 to 255, so their edges are soft"
        raise Refusal(f"{found.root / found.labels}: labels {what}: save them without smoothing")
    if len(encodings) > 1 and "index" in encodings:
        what = f"labels store {' and '.join(sorted(encodings))}"
        raise Refusal(f"{found.root / found.labels}: {what}: save all labels in one way")
    by_color = encodings != {"index"} and (len(encodings) > 1 or any(len(each) > 1 for each in colors.values()))
    return Look(
        encoding="color" if by_color else encodings.pop(),
        pixels=dict(sorted((painted if by_color else pixels).items())),
        labels=len(chosen),
        large=median(sizes) > LARGE,
    )


def _named(found: Pairs, chosen: Sequence[str]) -> Look:
    """Of masks, COCO's JSON and labelme's: what no object covers is the first class, background."""
    names = {*found.classes} | {name for one in found.layout.objects.values() for name, _ in one.annotations.values()}
    for one in found.ids if found.encoding == "labelme" else ():
        shapes = document(found.root / found.layout.labels[one][""]).get("shapes", ())
        names |= {str(shape["label"]) for shape in shapes if "label" in shape}
    first = next((name for name in sorted(names) if name.strip("_").lower() == "background"), "background")
    listed = (first, *sorted(names - {first}))
    coding = parse("row", Row(root="", encoding=found.encoding, classes=listed))  # type: ignore[arg-type]
    pixels, sizes = Counter[int](), []
    for one in chosen:
        files = {key.partition("/")[2]: file for key, file in found.layout.read(one).items() if key != "color"}
        label, height, width = as_indices(coding, files)
        pixels.update(_counts(label, decode(label)[0], "palette"))
        sizes.append(height * width)
    large = median(sizes) > LARGE
    return Look(
        encoding=found.encoding, names=listed, pixels=dict(sorted(pixels.items())), labels=len(chosen), large=large
    )


def _counts(file: Encoded, image: Image.Image, encoding: str) -> dict[int, int]:
    """How many pixels have each value, or colour as 0xrrggbb; of a label above ``PIXELS`` some are counted."""
    if image.format in ("JPEG", "MPO"):
        raise Refusal(f"{file.path} is a JPEG, which blurs labels: export labels as PNG")
    step = isqrt(image.width * image.height // PIXELS) + 1
    stored = np.asarray(image.convert("RGB") if encoding == "color" else image)[::step, ::step]
    if image.mode == "L" and (bits := depth(image, file.bytes)) < 8:  # which Pillow spreads over 0–255
        stored = stored // (255 // (2**bits - 1))
    if stored.ndim == 3:
        stored = stored.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    values, counts = np.unique(stored.astype(np.uint32), return_counts=True)
    if len(values) > MOST:
        what = f"{len(values)} colours or values, more than classes can be: it has soft edges, or is a photograph"
        raise Refusal(f"{file.path} has {what}; export labels without smoothing, or give --images and --labels")
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _spread(names: Sequence[str], most: int) -> list[str]:
    return [names[place] for place in sorted({step * len(names) // most for step in range(most)})]


def row(found: Pairs, seen: Look, names: Sequence[str] = (), ignore: Sequence[str] = ()) -> dict[str, Any]:
    """Every field of the row of ``folders``, with the names and the values of no class that a person gave."""
    own, ignored = _classes(seen, names, ignore)
    return {
        "root": str(found.root), "images": found.images, "labels": found.labels, "encoding": seen.encoding,
        "classes": own, "ignore": ignored, "splits": found.splits, "group": found.group,
    }  # fmt: skip


def _classes(seen: Look, names: Sequence[str], ignore: Sequence[str]) -> tuple[list[str], list[str | int]]:
    """The texts of the row's ``classes`` and ``ignore``, from what was seen and the ``names`` that a person gave.

    Raises Refusal where only one value is seen, or the names are fewer or more than the values.
    """
    if seen.names:
        return [*(names or seen.names)], [*ignore]
    by_color = seen.encoding == "color"
    void = set(ignore) or ({shown(VOC_VOID, True)} if by_color else {"255", "65535"})
    values = [value for value in seen.pixels if shown(value, by_color) not in void]
    if not by_color and not ignore and [*seen.pixels] in ([0, 255], [0, 65535]):
        values = [*seen.pixels]
    ignored: list[str | int] = [int(text) if text.isdigit() else text for text in ignore]
    ignored = ignored or [shown(each, True) if by_color else each for each in seen.pixels if each not in values]
    if any("=" in name for name in names):
        claimed = {part for name in names for part in name.partition("=")[2].split("|")}
        return list(names), [each for each in ignored if str(each) not in claimed]
    if len(values) < 2 and not names:
        what = ", ".join(shown(value, by_color) for value in seen.pixels)
        raise Refusal(f"the {seen.labels} labels looked at hold {what or 'nothing'} alone: two classes are the least")
    listed = not by_color and values[:1] == [0] and values[-1] < max(FEW, 2 * len(values))
    if listed:
        values = [*range(max(values[-1] + 1, len(names)))]
    own = list(names) or [_name(value, place, values) for place, value in enumerate(values)]
    if len(own) != len(values):
        what = ", ".join(shown(value, by_color) for value in values)
        raise Refusal(f"--classes has {len(own)} names, but labels hold {len(values)} values: {what}")
    if listed:
        return own, ignored
    return [f"{name}={shown(value, by_color)}" for name, value in zip(own, values, strict=True)], ignored


def _name(value: int, place: int, values: Sequence[int]) -> str:
    return "background" if value == 0 else "object" if len(values) == 2 and values[0] == 0 else f"class_{place}"


@dataclass(frozen=True)
class _Some:
    """A few pairs of a folder as a dataset of one split."""

    folder: Folder
    names: tuple[str, ...]

    @property
    def SPEC(self) -> DatasetSpec:  # noqa: N802 - as every dataset has it
        return self.folder.SPEC

    def splits(self, raw: Path) -> tuple[str, ...]:
        return ("proposed",)

    def ids(self, raw: Path, split: str) -> list[str]:
        return [*self.names]

    def read(self, raw: Path, wanted: Iterable[str]) -> Iterator[tuple[str, Mapping[str, Encoded]]]:
        return self.folder.read(raw, wanted)

    def sample(self, name: str, parts: Mapping[str, Encoded]) -> Sample:
        return self.folder.sample(name, parts)


def draw(name: str, row: Mapping[str, object], sheet: Path) -> None:
    """Convert some pairs as the pipeline will, and paint them into the PNG ``sheet``.

    Raises Refusal for what the pipeline would refuse of them.
    """
    parsed = folder.parse(name, row)
    root = Path(parsed.row.root)
    names = [one for ids in parsed.survey(root).splits.values() for one in ids]
    some = partial(_Some, parsed, tuple(_spread(names, SAMPLES)))
    with tempfile.TemporaryDirectory() as scratch, files.replacing(sheet) as drawn:
        writer.convert(name, some, root, Path(scratch, name), rows_per_shard=500, expect=None, processes=1)
        pictures.sheet(Path(scratch, name, "proposed")).save(drawn, "PNG")
