"""COCO's JSON: which of the images that it lists is which file, and what it says of each."""

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from pipeline.core.types import Encoded, Refusal
from pipeline.datasets.own.pattern import plain
from pipeline.datasets.own.polygons import ODD, parsed


class Listed(NamedTuple):
    """An image of the COCO file ``path``, with its annotations by their place there, each with its category's name."""

    path: str
    file_name: str
    height: int
    width: int
    annotations: dict[int, tuple[str, Mapping[str, Any]]]

    def encoded(self, root: Path) -> Encoded:
        """This image's part of the file alone, as JSON, for the process that draws it."""
        return Encoded(bytes=json.dumps(self._asdict()).encode(), path=f"{root / self.path} ({self.file_name})")


def listed(root: Path, files: Iterable[str], images: Mapping[str, str], problems: list[str]) -> dict[str, Listed]:
    """The images of COCO ``files`` by the id of the one in ``images`` (paths by id) that has their file name.

    Where folders hold several of that name, meant is the one whose last folders are the same, then that in the JSON's
    own folder, then that in a folder which the JSON's name holds (train of instances_train.json). An image that is not
    there stands under its file name. A line goes to ``problems`` where several may be meant, and for one listed twice.

    Raises Refusal for a file that is not COCO's.
    """
    paths = {name: PurePosixPath(plain(path)) for name, path in images.items()}
    by_name: dict[str, list[str]] = {}
    for name, path in paths.items():
        by_name.setdefault(path.name, []).append(name)
    found: dict[str, Listed] = {}
    for file in files:
        for one in _images(root / file, (root / file).stat().st_mtime_ns):
            target = PurePosixPath(plain(one.file_name.replace("\\", "/")))
            names = by_name.get(target.name, [])
            scores = [_likeness(PurePosixPath(plain(file)), target, paths[name]) for name in names]
            names = [name for name, score in zip(names, scores, strict=True) if score == max(scores)]
            name = names[0] if names else str(target.parent / target.stem)
            if len(names) > 1:
                both = " or ".join(str(root / images[name]) for name in names[:2])
                problems.append(f"{root / file} lists {one.file_name}, which may be {both}: write more of its path")
            elif name in found:
                problems.append(
                    f"{root / file} lists {one.file_name}, which {root / found[name].path} lists too: merge them"
                )
            else:
                found[name] = one._replace(path=file)
    return found


def _likeness(file: PurePosixPath, target: PurePosixPath, image: PurePosixPath) -> tuple[int, bool, bool]:
    same = [one == other for one, other in zip(image.parts[::-1], target.parts[::-1], strict=False)]
    return [*same, False].index(False), image.parent == file.parent, any(part in file.stem for part in image.parts[:-1])


@lru_cache(maxsize=8)
def _images(file: Path, stamp: int) -> list[Listed]:
    """The images of one file; ``stamp`` is its time of change, so that a file is parsed once."""
    document, place = parsed(file.read_bytes(), str(file)), "its top"
    try:
        names = {category["id"]: str(category["name"]) for category in document["categories"]}
        images: dict[Any, Listed] = {}
        for number, one in enumerate(document["images"]):
            place = f"images[{number}]"
            images[one["id"]] = Listed("", str(one["file_name"]), int(one["height"]), int(one["width"]), {})
        for number, one in enumerate(document["annotations"]):
            place = f"annotations[{number}]"
            what = {key: one[key] for key in ("segmentation", "iscrowd") if key in one}
            images[one["image_id"]].annotations[number] = names[one["category_id"]], what
    except ODD as error:
        told = f"{error!r:.60}"
        raise Refusal(f"{file} is not COCO's at {place} ({told}): export it as COCO instances again") from None
    return [*images.values()]
