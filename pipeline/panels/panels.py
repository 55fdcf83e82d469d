"""What an evaluation shows: images, truth and prediction as indices in one Parquet file, and how they are drawn."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from pipeline.core.types import LabelSpec, Refusal

Pixels = NDArray[np.uint8]
PANELS = 8
TILES = ("image", "label", "prediction", "errors")
GAP = 4  # pixels of white between the pictures
WHITE = np.uint8(255)
WRONG = (215, 25, 28)  # a red that neither pale grey nor white can be taken for
PALE = 0.35  # how much of the image's darkness is left under the error map
FILE = "shown.parquet"
HEADS = b"heads"  # the metadata's key: as JSON, each head's classes, palette and ignore label
COLUMNS: dict[str, pa.DataType] = {
    **dict.fromkeys(("place", "head", "id"), pa.string()),
    **dict.fromkeys(("height", "width"), pa.int32()),
    **dict.fromkeys(("image", "truth", "predicted"), pa.binary()),
}


def chosen(images: int) -> list[int]:
    """Which of ``images`` get a panel: at most ``PANELS`` indices, spread evenly from the first on."""
    return sorted({k * images // PANELS for k in range(PANELS)}) if images else []


def panel(
    image: Pixels, truth: Mapping[str, Pixels], predicted: Mapping[str, Pixels], labels: Mapping[str, LabelSpec]
) -> Pixels:
    """The ``tiles`` side by side, one row per head of ``predicted``; RGB uint8."""
    rows = [_beside([*tiles(image, truth[head], predicted[head], labels[head]).values()], axis=1) for head in predicted]
    return _beside(rows, axis=0)


def tiles(image: Pixels, truth: Pixels, predicted: Pixels, label: LabelSpec) -> dict[str, Pixels]:
    """Image, label, prediction and error map by their names in ``TILES``, H×W×3 RGB uint8 each.

    ``image`` is H×W×3 RGB, the maps H×W class indices. Void is white wherever the truth is drawn; the error map shows
    wrong pixels red over the pale image.
    """
    colors = np.full((256, 3), WHITE)
    colors[: len(label.palette)] = label.palette
    colored = colors[truth]
    errors = (255 - (255 - image.mean(axis=2, keepdims=True)) * PALE).astype(np.uint8).repeat(3, axis=2)
    errors[truth != predicted] = WRONG
    colored[truth == label.ignore_label] = errors[truth == label.ignore_label] = WHITE
    return dict(zip(TILES, (image, colored, colors[predicted], errors), strict=True))


def png(pixels: Pixels) -> bytes:
    """Equal pixels give equal bytes: there is no time stamp in it. Packed in half of Pillow's time, a little larger."""
    made = BytesIO()
    Image.fromarray(pixels).save(made, format="PNG", compress_level=1)
    return made.getvalue()


def file_name(place: str, name: str) -> str:
    """The panel's file name for the split's image ``name`` (an id may hold slashes), sorting by ``place``."""
    return f"{place}-{re.sub(r'[^0-9A-Za-z_.-]', '_', name)}.png"


def _beside(pictures: list[Pixels], axis: int) -> Pixels:
    shape = list(pictures[0].shape)
    shape[axis] = GAP
    gap = np.full(shape, WHITE)
    return np.concatenate([part for picture in pictures for part in (gap, picture)][1:], axis=axis)


class Shown(NamedTuple):
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

    def crop(self, box: tuple[int, int, int, int]) -> "Shown":
        """The part within left, top, right and bottom, in pixels."""
        left, top, right, bottom = box
        maps = (self.image, self.truth, self.predicted)
        image, truth, predicted = (each[top:bottom, left:right] for each in maps)
        return self._replace(image=image, truth=truth, predicted=predicted)

    def tiles(self) -> dict[str, Pixels]:
        """Painted, by ``TILES``: H×W×3 RGB each."""
        return tiles(self.image, self.truth, self.predicted, self.label)


class Seen(NamedTuple):
    """One image of a split; truth and prediction by head."""

    id: str
    image: Pixels
    truth: Mapping[str, Pixels]
    predicted: Mapping[str, Pixels]

    def rows(self, place: str, heads: Mapping[str, LabelSpec]) -> Iterator[Shown]:
        """One for each of ``heads``."""
        for head, label in heads.items():
            yield Shown(place, head, self.id, self.image, self.truth[head], self.predicted[head], label)


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
    return Shown(row["place"], row["head"], row["id"], image, truth, predicted, label)


def lone_class(hist: NDArray[np.int64], classes: Sequence[str]) -> str | None:
    """What to say of a net that predicts one class although there are others; None of any other net.

    ``hist`` are pixels, a row for each true class and a column for each predicted one. A net has learned as little that
    gives other classes less than one pixel in a thousand, and less than a tenth of theirs.
    """
    total, most = int(hist.sum()), int(hist.sum(0).argmax())
    true, predicted = total - int(hist[most].sum()), total - int(hist[:, most].sum())  # of other classes
    if predicted * 1000 >= total or predicted * 10 >= true:
        return None
    only = "hardly more than one class" if predicted else "one class only"
    return f"predicts {only} ({classes[most]}, which {1 - true / total:.1%} of the pixels are)"
