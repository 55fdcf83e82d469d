"""What all readers of archives check: that the file is there, which version of it, and where a member's name leads."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.types import Refusal


def version(path: Path) -> tuple[Path, int, int]:
    """The file with its size and time: a key to remember what was read of it. Raises Refusal where there is none."""
    if not path.is_file():
        raise Refusal(f"{path} is missing: run its download or miniature stage")
    stat = path.stat()
    return path, stat.st_size, stat.st_mtime_ns


def safe_name(archive: Path, name: str, *, plain: bool) -> str:
    """The name with forward slashes, without a leading ``./``; Refusal for what could reach outside the folder.

    ``plain`` tells a file or folder from a link or device. Windows' packers write back-slashes.
    """
    path = name.replace("\\", "/")
    outside = path.startswith("/") or path[1:2] == ":" or ".." in path.split("/") or "\0" in path
    if outside or not plain:
        what = "a name outside its folder" if outside else "a link or a device"
        raise Refusal(f"{archive} holds {name!r}, {what}: fetch the archive from a source you trust")
    return path.removeprefix("./")
