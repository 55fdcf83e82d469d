"""What all readers of archives check: that the file is there, where a member's name leads, and an image's size."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

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
