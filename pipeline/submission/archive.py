"""Pack the labels of a VOC split for PASCAL's evaluation server, or hold an archive against what it asks for.

The rules are the VOC2012 devkit's: section 5.3 gives the folder, one indexed PNG an image and the colour map, and
VOCcode/VOCevalseg.m ends at the first image that is not there, is of another size or has a label above 20.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from pipeline.core.png import PASCAL, png
from pipeline.core.types import Refusal
from pipeline.datasets.shared import tar
from pipeline.datasets.shared.archive import ids_of
from pipeline.datasets.shared.voc_classes import LABEL
from pipeline.fcn.net import FCN, LateFCN
from pipeline.miniature.shared.archive import Member, write_tgz
from pipeline.serving.segment import Segmenter
from pipeline.shards.reader import Shards
from pipeline.shards.schema import MANIFEST

Pixels = NDArray[np.uint8]
# Where VOC2012test.tar and VOCtrainval_11-May-2012.tar begin, and where one may have been unpacked to
ROOTS = ("VOCdevkit/VOC2012/", "VOC2012/", "")
LISTS, PHOTOGRAPHS = "ImageSets/Segmentation/", "JPEGImages/"
HEAD = "semantic"
SUFFIXES = (".tar.gz", ".tgz")  # an archive that is not gzipped fails there (zhanghang1989/PyTorch-Encoding#225)
COMPETITIONS = COMP5, COMP6 = "comp5", "comp6"  # VOC's own labels alone; anything but its test (devkit, section 5.2)
GZIP = b"\x1f\x8b"
SUFFIX = ".png"
CLASSES = len(LABEL.classes)
PALETTE = [value for color in LABEL.palette for value in color]


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """A split without its labels; ``read`` gives the H×W×3 uint8 RGB pixels of one of ``ids``."""

    ids: tuple[str, ...]
    read: Callable[[str], Pixels]


def of_shards(folder: Path) -> Pictures:
    """The split that a convert stage wrote to ``folder``. Raises Refusal where there is none, as for VOC's test."""
    if not (folder / MANIFEST).is_file():
        known = ", ".join(sorted(path.parent.name for path in folder.parent.glob(f"*/{MANIFEST}"))) or "none"
        raise Refusal(f"no shards in {folder}: give VOC's test as --images VOC2012test.tar, or name a split ({known})")
    shards = Shards(folder, columns={"color"})
    places = {name: place for place, name in enumerate(shards.manifest.ids)}
    return Pictures(ids=shards.manifest.ids, read=lambda name: shards[places[name]].images["color"])


def of_archive(archive: Path, split: str) -> Pictures:
    """The split ``split`` of a VOC tar, read in place, or of the folder that it was unpacked to.

    Raises Refusal where it does not list the split, or lacks a photograph that it lists.
    """
    found = _files(archive)
    lists = {name.removeprefix(LISTS): name for name in found if name.startswith(LISTS)}
    if f"{split}.txt" not in lists:
        known = ", ".join(sorted(Path(name).stem for name in lists)) or "none"
        raise Refusal(f"{archive} has no {LISTS}{split}.txt: name a split that it lists ({known})")
    source = f"{archive}: {lists[f'{split}.txt']}"
    ids = ids_of(found[lists[f"{split}.txt"]]().decode("utf-8", "replace"), source)
    if missing := [name for name in ids if f"{PHOTOGRAPHS}{name}.jpg" not in found]:
        raise Refusal(f"{archive} lists {missing[0]} but has no {PHOTOGRAPHS}{missing[0]}.jpg: fetch it again")
    return Pictures(ids=tuple(ids), read=lambda name: _decoded(found[f"{PHOTOGRAPHS}{name}.jpg"](), archive, name))


def _files(archive: Path) -> dict[str, Callable[[], bytes]]:
    """{path within VOC2012/: a call for its bytes} of a tar or a folder."""
    if archive.is_dir():
        files = (file for file in archive.rglob("*") if file.suffix in (".jpg", ".txt"))
        found = {file.relative_to(archive).as_posix(): file.read_bytes for file in files}
    else:
        found = {name: partial(_cut, archive, *place) for name, place in tar.index(archive).places.items()}
    for root in ROOTS:
        if any(name.startswith(root + LISTS) for name in found):
            return {name.removeprefix(root): read for name, read in found.items() if name.startswith(root)}
    raise Refusal(f"{archive} has no {LISTS}: name VOC2012test.tar, or the folder that it was unpacked to")


def _cut(archive: Path, offset: int, size: int) -> bytes:
    with archive.open("rb") as file:
        file.seek(offset)
        return file.read(size)


def _decoded(encoded: bytes, archive: Path, name: str) -> Pixels:
    """As ``shards.reader`` decodes: EXIF turns nothing, for labels are as the photograph is stored."""
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            return np.array(image.convert("RGB"))
    except (OSError, SyntaxError) as error:
        raise Refusal(f"{archive}: {name}.jpg does not decode ({error}): fetch it again") from None


def folder(competition: str) -> str:
    """Where the server looks for a competition's class segmentations (VOC2012 devkit, section 5.3)."""
    return f"results/VOC2012/Segmentation/{competition}_test_cls"


def competition_of(recipes: Mapping[str, Any], recipe: str | None) -> tuple[str, str]:
    """comp5 where all of the weights come from VOC's own labels, else comp6; and why.

    Weights of ImageNet and labels of SBD are other data, so of a ladder each rung counts, down to the net that it
    began from. A net without ``recipe`` is comp6, which only VOC's test images are kept from.
    """
    init = ""
    while recipe and recipe in recipes:
        row = recipes[recipe]
        read = f"{row['data']['shards']}/{row['data']['split']}"
        if row["data"]["shards"] != "voc":
            return COMP6, f"{recipe} trains on {read}"
        if row["net"].get("start") == "random":
            return COMP5, f"{recipe} begins at random and trains on {read}"
        init = f"{recipe} begins from {row['net']['init']}"
        place = PurePosixPath(row["net"]["init"]).parts
        recipe = place[1] if place[0] == "runs" else None
    return COMP6, init or "its training is not known"


def refuse(net: FCN | LateFCN, out: Path) -> None:
    """Raise Refusal for a net that does not label photographs with VOC's classes, and for a name without .tar.gz."""
    spec = net.spec
    if spec.inputs != ("color",):
        raise Refusal(f"this net sees {' and '.join(spec.inputs)}, not photographs alone: submit one trained on VOC")
    if HEAD not in spec.heads or spec.heads[HEAD].classes != LABEL.classes:
        raise Refusal("this net's classes are not VOC's 21: submit one trained on voc or sbd")
    if not out.name.endswith(SUFFIXES):
        raise Refusal(f"{out} is not called {' or '.join(SUFFIXES)}, which the server asks for: name it so")


def write(out: Path, competition: str, pictures: Pictures, segmenter: Segmenter) -> None:
    """Label ``pictures`` and write ``out``, a tar.gz of palette PNGs by id, owner 0 and time 0; nothing if it stops.

    Raises Refusal as ``refuse``, before anything is labelled.
    """
    refuse(segmenter.net, out)
    write_tgz(out, _labelled(folder(competition), pictures, segmenter))


def _labelled(place: str, pictures: Pictures, segmenter: Segmenter) -> Iterator[Member]:
    for name in tqdm(sorted(pictures.ids), desc="submit", unit="image", disable=None):
        label = segmenter({"color": pictures.read(name)}, name)[HEAD]
        yield f"{place}/{name}.png", png(label, PASCAL)


def check(archive: Path, pictures: Pictures, competition: str | None) -> list[str]:
    """What is wrong with ``archive``, each as "member: reason"; nothing where the server would score it.

    ``competition`` None takes whichever its first image is in. Nothing is unpacked.

    Raises Refusal where the archive cannot be read whole: it is no gzipped tar, is cut off, or holds a link, a device
    or a name outside its folder.
    """
    with archive.open("rb") as file:
        if file.read(len(GZIP)) != GZIP:
            raise Refusal(f"{archive} is not gzipped, and the server takes nothing else: tar -czf it")
    return list(_problems(archive, pictures, competition))


def _members(archive: Path) -> Iterator[tar.Member]:
    try:
        yield from tar.walk(archive)
    except Refusal as refusal:  # its remedy is for archives that were fetched
        raise Refusal(f"{str(refusal).rpartition(': ')[0]}: write it again") from None


def _problems(archive: Path, pictures: Pictures, competition: str | None) -> Iterator[str]:
    missing, seen = set(pictures.ids), set[str]()
    for member in _members(archive):
        path = PurePosixPath(member.name)
        competition = competition or next((each for each in COMPETITIONS if str(path.parent) == folder(each)), None)
        wanted = folder(competition or COMPETITIONS[-1])
        if str(path.parent) != wanted:
            yield f"{member.name}: is not in {wanted}"
        elif path.suffix != SUFFIX or path.stem not in pictures.ids:
            yield f"{member.name}: is no PNG of an image of the split"
        elif path.stem in seen:
            yield f"{member.name}: stands twice in the archive"
        else:
            seen.add(path.stem)
            missing.discard(path.stem)
            if problem := _wrong(member.read(), pictures.read(path.stem).shape[:2]):
                yield f"{member.name}: {problem}"
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        yield f"{min(missing)}{SUFFIX}{more}: missing of the split's {len(pictures.ids)}"


def _wrong(encoded: bytes, size: tuple[int, ...]) -> str | None:
    try:
        with Image.open(io.BytesIO(encoded), formats=["PNG"]) as image:
            if image.size[::-1] != size:
                return f"is {image.height}×{image.width} px, its image {size[0]}×{size[1]} (height × width)"
            if image.mode != "P":
                return f"has mode {image.mode}: it has to be 8-bit with a palette, class indices as samples"
            if (image.getpalette() or [])[: len(PALETTE)] != PALETTE:
                # a palette of one's own permutes the indices (DrSleep/tensorflow-deeplab-resnet#177)
                return "has another palette than VOC's colour map: are its samples class indices?"
            label = np.array(image)
    except UnidentifiedImageError:
        return "is no PNG"
    except (OSError, SyntaxError, ValueError) as error:
        return f"does not decode ({error})"
    if label.max() < CLASSES:
        return None
    row, column = (int(place[0]) for place in np.nonzero(label >= CLASSES))
    return f"has label {label[row, column]} at row {row}, column {column}: 0 to {CLASSES - 1} are classes, void is none"
