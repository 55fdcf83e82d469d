"""Label the pictures in files and folders, and write what came out beside each other."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from pipeline.core.files import replacing
from pipeline.core.types import LabelSpec, Refusal
from pipeline.serving import paint, picture
from pipeline.serving.segment import Segmenter

SUFFIXES = frozenset((".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"))
QUALITY = 92  # of an overlay's JPEG


def find(paths: Sequence[Path], out: Path) -> dict[str, Path]:
    """{name: picture}: files as named, and all pictures in folders and the folders within, less those under ``out``.

    A name is the path within its folder without suffix. Raises Refusal for a path that is not there, for two pictures
    of one name, and where there are no pictures at all.
    """
    found: dict[str, Path] = {}
    for path in paths:
        if not path.exists():
            raise Refusal(f"{path} is not there: name pictures, or folders of them")
        for file in sorted(_inside(path, out)) if path.is_dir() else [path]:
            name = (file.relative_to(path) if path.is_dir() else Path(file.name)).with_suffix("").as_posix()
            if name in found and found[name] != file:
                raise Refusal(f"{found[name]} and {file} would both become {name}.png: label them into two folders")
            found[name] = file
    if not found:
        raise Refusal(f"no pictures in {', '.join(map(str, paths))}: they end in {' '.join(sorted(SUFFIXES))}")
    return found


def _inside(folder: Path, out: Path) -> Iterator[Path]:
    for file in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if file.suffix.lower() in SUFFIXES and not hidden and not file.resolve().is_relative_to(out.resolve()):
            yield file


def label(pictures: Mapping[str, Path], out: Path, segmenter: Segmenter) -> list[Refusal]:
    """Write ``out``/HEAD/NAME.png, a palette PNG of class indices, and ``out``/HEAD-overlay/NAME.jpg for each picture.

    ``out``/HEAD-classes.csv tells indices, names and colours. Returns why pictures were left out, if any were.

    Raises Refusal, before it writes, for a net that sees more than photographs.
    """
    inputs = segmenter.net.spec.inputs
    if inputs != ("color",):
        raise Refusal(f"this net sees {' and '.join(inputs)}, not photographs alone: serve it as an MLflow model")
    for head, spec in segmenter.heads.items():
        _write(out / f"{head}-classes.csv", _classes(spec))
    refused = []
    for name, path in tqdm(pictures.items(), desc="label", unit="image", disable=None):
        try:
            pixels = picture.read(path, str(path))
            labels = segmenter({"color": pixels}, str(path))
        except Refusal as refusal:
            refused.append(refusal)
            continue
        for head, spec in segmenter.heads.items():
            _write(out / head / f"{name}.png", paint.png(labels[head], spec))
            _write(out / f"{head}-overlay" / f"{name}.jpg", _jpeg(paint.overlay(pixels, labels[head], spec)))
    return refused


def _classes(spec: LabelSpec) -> bytes:
    file = io.StringIO()
    rows: Iterable[Sequence[object]] = ((i, spec.classes[i], *color) for i, color in enumerate(spec.palette))
    csv.writer(file, lineterminator="\n").writerows([("index", "class", "red", "green", "blue"), *rows])
    return file.getvalue().encode()


def _jpeg(pixels: paint.Pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="JPEG", quality=QUALITY, subsampling=0)
    return file.getvalue()


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as scratch:
        scratch.write_bytes(content)
