"""What an evaluation shows: images with their truth and prediction as indices, in one Parquet file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from pipeline.core.types import LabelSpec, Refusal
from pipeline.panels import panels

Pixels = NDArray[np.uint8]
FILE = "shown.parquet"
HEADS = b"heads"  # the metadata's key: as JSON, each head's classes, palette and ignore label
COLUMNS: dict[str, pa.DataType] = {
    "place": pa.string(),
    "head": pa.string(),
    "id": pa.string(),
    "height": pa.int32(),
    "width": pa.int32(),
    "image": pa.binary(),
    "truth": pa.binary(),
    "predicted": pa.binary(),
}


@dataclass(frozen=True, kw_only=True)
class Shown:
    """An ``image`` (H×W×3 RGB uint8) with what is true and what was ``predicted`` of a head: H×W uint8 indices.

    Void is ``label.ignore_label`` in the truth. ``place`` says why it is shown: ``00`` to ``07`` are spread evenly over
    the split, ``best-1``, ``median-1`` and ``worst-1`` to ``worst-3`` are chosen by score.
    """

    place: str
    head: str
    id: str
    image: Pixels
    truth: Pixels
    predicted: Pixels
    label: LabelSpec

    @property
    def spread(self) -> bool:
        """Whether it is one of the images that no score has chosen."""
        return self.place.isdigit()

    def crop(self, box: tuple[int, int, int, int]) -> Shown:
        """The part within left, top, right and bottom, in pixels."""
        left, top, right, bottom = box
        image, truth, predicted = (each[top:bottom, left:right] for each in (self.image, self.truth, self.predicted))
        return replace(self, image=image, truth=truth, predicted=predicted)

    def tiles(self) -> dict[str, Pixels]:
        """Painted, by ``panels.TILES``: H×W×3 RGB each."""
        return dict(zip(panels.TILES, panels.tiles(self.image, self.truth, self.predicted, self.label), strict=True))


class Seen(NamedTuple):
    """One image of a split; truth and prediction by head."""

    id: str
    image: Pixels
    truth: Mapping[str, Pixels]
    predicted: Mapping[str, Pixels]

    def rows(self, place: str, heads: Mapping[str, LabelSpec]) -> Iterator[Shown]:
        """One for each of ``heads``."""
        for head, label in heads.items():
            maps = {"truth": self.truth[head], "predicted": self.predicted[head]}
            yield Shown(place=place, head=head, id=self.id, image=self.image, label=label, **maps)


def read(evaluation: Path) -> list[Shown]:
    """The rows of ``evaluation``/shown.parquet in its order, empty where there is no such file.

    Raises Refusal for a file that cannot be understood, or whose indices are neither classes nor void.
    """
    path = evaluation / FILE
    if not path.is_file():
        return []
    try:
        found = pq.read_table(path)
        heads = json.loads(found.schema.metadata[HEADS])
        images: dict[str, Pixels] = {}
        rows = []
        for row in found.to_pylist():
            if row["image"] is not None:
                images[row["place"]] = np.asarray(Image.open(BytesIO(row["image"])).convert("RGB"))
            rows.append(_row(row, images[row["place"]], LabelSpec.from_json(heads[row["head"]])))
        return rows
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, SyntaxError, Refusal) as error:
        raise Refusal(f"{path} holds no images to show ({error!r}): run its evaluate stage again") from None


def _row(row: dict[str, Any], image: Pixels, label: LabelSpec) -> Shown:
    size = row["height"], row["width"]
    truth, predicted = (np.frombuffer(row[name], np.uint8).reshape(size) for name in ("truth", "predicted"))
    classes = [*range(len(label.classes))]
    if not (np.isin(truth, [*classes, label.ignore_label]).all() and np.isin(predicted, classes).all()):
        raise ValueError(f"{row['id']}: an index is no class")
    if image.shape != (*size, 3):
        raise ValueError(f"{row['id']}: image and label differ in size")
    facts = {name: row[name] for name in ("place", "head", "id")}
    return Shown(**facts, image=image, truth=truth, predicted=predicted, label=label)
