"""What readers of archives share: names and sizes checked, lists of ids, and variables of MATLAB files."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import loadmat

from pipeline.core.types import Encoded, Refusal


def version(path: Path) -> tuple[Path, int, int]:
    """The file with its size and time: a key to remember what was read of it. Raises Refusal where there is none."""
    if not path.is_file():
        raise Refusal(f"{path} is missing: run its download or miniature stage")
    stat = path.stat()
    return path, stat.st_size, stat.st_mtime_ns


def safe_name(archive: Path, name: str, *, plain: bool) -> str:
    """The name with forward slashes, without a leading ``./``; Refusal for what could reach outside the folder.

    ``plain`` is a file or folder, no link or device. Windows' packers write back-slashes.
    """
    path = name.replace("\\", "/")
    outside = path.startswith("/") or path[1:2] == ":" or ".." in path.split("/") or "\0" in path
    if outside or not plain:
        what = "a name outside its folder" if outside else "a link or a device"
        raise Refusal(f"{archive} holds {name!r}, {what}: fetch the archive from a source you trust")
    return path.removeprefix("./")


def image_size(file: Encoded) -> tuple[int, int]:
    """Height and width in pixels, without decoding the image; Refusal where the bytes are none."""
    try:
        with Image.open(io.BytesIO(file.bytes)) as image:
            return image.height, image.width
    except OSError:
        raise Refusal(f"{file.path} is no image: fetch its archive again") from None


def ids_of(text: str, source: str) -> list[str]:
    """The first word of each line, in order; Refusal when there is none or one stands twice."""
    ids = [line.split()[0] for line in text.splitlines() if line.strip()]
    if not ids:
        raise Refusal(f"{source} lists no ids: fetch it again")
    if len(set(ids)) < len(ids):
        twice = next(name for place, name in enumerate(ids) if name in ids[:place])
        raise Refusal(f"{source} lists {twice} twice: each id stands once in a split")
    return ids


def read_ids(path: Path) -> list[str]:
    """``ids_of`` a text file beside the archives; Refusal where it is missing."""
    version(path)
    return ids_of(path.read_text(encoding="utf-8"), str(path))


def variable(file: bytes, name: str, where: str) -> NDArray[Any]:
    """The array ``name``, such as ``S``, or a field of a struct, ``GTcls.Segmentation``; Refusal naming ``where``."""
    first, *rest = name.split(".")
    try:
        found = loadmat(io.BytesIO(file), variable_names=[first])[first]
        for field in rest:
            found = found[field][0, 0]
    except Exception as error:  # a broken file makes scipy raise nearly anything
        raise Refusal(f"{where} has no readable {name} ({' '.join(str(error).split())}): fetch it again") from None
    return np.asarray(found)
