"""Label the pictures in files and folders: a PNG of class indices for each, and an overlay with a legend."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from pipeline.core.files import replacing
from pipeline.core.types import LabelSpec, Refusal
from pipeline.serving import device, picture
from pipeline.serving.picture import SUFFIXES, Pixels
from pipeline.serving.segment import ONE, SCORES, Segmenter

QUALITY = 92  # of an overlay's JPEG
OPAQUE = 0.6  # of a class's colour over the picture
BLACK = (0, 0, 0)  # classes of this colour, background above all, leave the picture as it is
EDGE = (255, 255, 255)
SEEN = 320  # pixels of the longer side that an overlay has at least
KEPT = 50 << 20  # bytes of a picture up to which freed memory is kept for the next
TALL = 600  # pixels of height, above which the legend grows
MARGIN, ROW, FONT = 12, 26, 15  # pixels of the legend
INK, PAPER = (34, 34, 34), (255, 255, 255)


def find(paths: Sequence[Path], out: Path) -> tuple[dict[str, Path], list[Path]]:
    """{name: picture}, files as named and all pictures in folders and the folders within; and the files passed over.

    What lies under ``out`` does not count. A name is the path within its folder without suffix. Raises Refusal for a
    path that is not there, for two pictures of one name, and where there are no pictures at all.
    """
    found: dict[str, Path] = {}
    passed: list[Path] = []
    for path in paths:
        if not path.exists():
            raise Refusal(f"{path} is not there: name pictures, or folders of them")
        inside = sorted(file for file in path.rglob("*") if not file.is_dir()) if path.is_dir() else [path]
        for file in (file for file in inside if not (path.is_dir() and file.resolve().is_relative_to(out.resolve()))):
            relative = file.relative_to(path) if path.is_dir() else Path(file.name)
            hidden = any(part.startswith(".") for part in relative.parts)
            if path.is_dir() and (hidden or file.suffix.lower() not in SUFFIXES):
                passed.append(file)
                continue
            name = relative.with_suffix("").as_posix()
            if name in found and found[name] != file:
                raise Refusal(f"{found[name]} and {file} would both become {name}.png: label them into two folders")
            found[name] = file
    if not found:
        raise Refusal(f"no pictures in {', '.join(map(str, paths))}: their names end in .jpg, .png, .tif or the like")
    return found, passed


def label(
    pictures: Mapping[str, Path], out: Path, segmenter: Segmenter, scores: Literal["npz", "png"] | None = None
) -> list[Refusal]:
    """Write ``out``/HEAD/NAME.png, a palette PNG of class indices, and ``out``/HEAD-overlay/NAME.jpg for each picture.

    ``out``/HEAD-classes.csv tells indices, names and colours. With ``scores``, which ``segmenter`` then gives, also
    ``out``/HEAD-scores/NAME.npz, ``probabilities`` H×W×classes float16; or a 16-bit PNG of each class, 65535 being 1:
    ``out``/HEAD-scores/NAME-000.png for class 0. Returns why pictures were left out, if any were.

    Raises Refusal, before it writes, for a net that sees more than photographs.
    """
    inputs = segmenter.net.spec.inputs
    if inputs != ("color",):
        raise Refusal(f"this net sees {' and '.join(inputs)}, not photographs alone: serve it as an MLflow model")
    for head, spec in segmenter.heads.items():
        _write_classes(out / f"{head}-classes.csv", spec)
    refused = []
    for name, path in tqdm(pictures.items(), desc="label", unit="image", disable=None):
        try:
            pixels = picture.read(path, str(path))
            _give_back(pixels)
            labels = segmenter({"color": pixels}, str(path))
            _give_back(pixels)
        except Refusal as refusal:
            refused.append(refusal)
            continue
        for head, spec in segmenter.heads.items():
            with replacing(out / head / f"{name}.png") as scratch:
                scratch.write_bytes(png(labels[head], spec))
            with replacing(out / f"{head}-overlay" / f"{name}.jpg") as scratch:
                drawn = Image.fromarray(overlay(pixels, labels[head], spec))
                drawn.save(scratch, format="JPEG", quality=QUALITY, subsampling=0)
            if scores:
                _write_scores(out / f"{head}{SCORES}" / name, scores, labels[head + SCORES], spec)
    return refused


def _give_back(pixels: Pixels) -> None:
    """Of a large picture, what decoding or the net held beside it, several GB."""
    if pixels.nbytes > KEPT:
        device.give_back()


def _write_scores(path: Path, form: str, parts: NDArray[np.uint16], spec: LabelSpec) -> None:
    """``path`` is the files' without suffix."""
    if form == "npz":
        with replacing(path.with_name(f"{path.name}.npz")) as scratch, scratch.open("wb") as file:
            halves = (parts / np.float32(ONE)).astype(np.float16)
            np.savez_compressed(file, probabilities=halves, classes=np.array(spec.classes))
        return
    for index in range(parts.shape[2]):
        with replacing(path.with_name(f"{path.name}-{index:03d}.png")) as scratch:
            Image.fromarray(np.ascontiguousarray(parts[..., index])).save(scratch, format="PNG")


def _write_classes(path: Path, spec: LabelSpec) -> None:
    rows = ((index, spec.classes[index], *color) for index, color in enumerate(spec.palette))
    with replacing(path) as scratch, scratch.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("index", "class", "red", "green", "blue"), *rows])


def png(label: Pixels, spec: LabelSpec) -> bytes:
    """H×W class indices as a palette PNG: its samples are exactly the indices, its palette the data set's colours."""
    image = Image.fromarray(label)
    image.putpalette([value for color in spec.palette for value in color])
    file = io.BytesIO()
    image.save(file, format="PNG")
    return file.getvalue()


def overlay(image: Pixels, label: Pixels, spec: LabelSpec) -> Pixels:
    """The ``image`` (H×W×3 RGB) under its classes' colours, edges between classes white, beside it their legend.

    Pictures of less than 320 px are enlarged by a whole factor, so that one sees them beside their legend.
    """
    factor = max(1, -(-SEEN // max(label.shape)))
    height, width = label.shape[0] * factor, label.shape[1] * factor
    if factor > 1:
        label = label.repeat(factor, 0).repeat(factor, 1)
        image = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))
    colors = np.zeros((256, 3), np.float32)
    colors[: len(spec.palette)] = spec.palette
    weight = np.zeros((256, 1), np.float32)
    weight[: len(spec.palette), 0] = [0 if color == BLACK else OPAQUE for color in spec.palette]
    legend = _legend(label, spec)
    sheet = np.full((max(height, legend.shape[0]), width + legend.shape[1], 3), PAPER, np.uint8)
    sheet[: legend.shape[0], width:] = legend
    painted, edges = sheet[:height, :width], _edges(label)
    for row in range(0, height, SEEN):  # floats, and places of edges, of a few rows at a time
        rows = slice(row, row + SEEN)
        over = weight[label[rows]]
        painted[rows] = image[rows] * (1 - over) + colors[label[rows]] * over
        painted[rows][edges[rows]] = EDGE
    return sheet


def _edges(label: Pixels) -> NDArray[np.bool_]:
    """Pixels whose right or lower neighbour is of another class."""
    edges = np.zeros(label.shape, bool)
    edges[:-1] |= label[:-1] != label[1:]
    edges[:, :-1] |= label[:, :-1] != label[:, 1:]
    return edges


def _legend(label: Pixels, spec: LabelSpec) -> Pixels:
    """Classes by their share of the picture, the largest first; a class that is not painted has an empty swatch."""
    from pipeline.tracking.confusion import covering  # matplotlib, which a served model does without

    unit = max(1.0, label.shape[0] / TALL)  # the legend grows with the picture
    counts = np.zeros(256, np.int64)
    for line in label:  # at once it takes 8 bytes a pixel
        counts += np.bincount(line, minlength=256)
    found = [int(index) for index in np.argsort(-counts, kind="stable") if counts[index]]
    path, names = covering([spec.classes[index] for index in found], found)
    font = ImageFont.truetype(path, FONT * unit)
    margin, row, box = (round(length * unit) for length in (MARGIN, ROW, FONT))
    wide = margin + row + max(round(font.getlength(name)) for name in names) + 2 * row + margin
    sheet = Image.new("RGB", (wide, len(found) * row + 2 * margin), PAPER)
    draw = ImageDraw.Draw(sheet)
    for place, (index, name) in enumerate(zip(found, names, strict=True)):
        top, color = margin + place * row, spec.palette[index]
        swatch = (margin, top + (row - box) // 2, margin + box, top + (row + box) // 2)
        draw.rounded_rectangle(swatch, radius=box // 5, fill=PAPER if color == BLACK else color, outline=INK)
        draw.text((margin + row, top + row // 2), name, fill=INK, font=font, anchor="lm")
        draw.text((sheet.width - margin, top + row // 2), _share(counts[index] / label.size), INK, font, anchor="rm")
    return np.array(sheet)


def _share(part: float) -> str:
    return f"{part:.0%}" if part >= 0.01 else "<1%"
