"""Where a folder's images and labels lie and which split each is in, with every problem that names tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pipeline.core.types import Encoded, Refusal
from pipeline.datasets.own import pairs, splits
from pipeline.datasets.own.row import Row


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Paths by id relative to ``root``, the ids of each split, and a line for each problem, in a fixed order."""

    root: Path
    images: Mapping[str, str]
    labels: Mapping[str, str]
    splits: Mapping[str, Sequence[str]]
    problems: tuple[str, ...]

    def read(self, name: str) -> Mapping[str, Encoded]:
        """The bytes of an id's image and label, ``color`` and ``semantic``; Refusal for a file that cannot be read."""
        return {"color": self._encoded(self.images, name), "semantic": self._encoded(self.labels, name)}

    def _encoded(self, files: Mapping[str, str], name: str) -> Encoded:
        if name not in files:
            raise Refusal(f"{self.root} has no image and label named {name}: take it off the lists")
        path = self.root / files[name]
        try:
            return Encoded(bytes=path.read_bytes(), path=str(path))
        except OSError as error:
            raise Refusal(f"{path} cannot be read ({error.strerror}): put it there, with leave to read it") from None


def survey(row: Row, rules: Mapping[str, splits.Rule], root: Path) -> Layout:
    """Look through ``root`` without opening an image.

    Shares divide all images, so each must have a label and each label an image. Lists choose: what no list names is
    left alone, labelled or not.

    Raises Refusal where nothing can be paired at all: see ``pairs.find`` and ``splits.listed``.
    """
    images = pairs.find(f"{row.name}.images", root, row.images)
    labels = pairs.find(f"{row.name}.labels", root, row.labels)
    if not images.files.keys() & labels.files.keys():
        raise Refusal(
            f"{row.name}: no image has a label, images being named such as {', '.join([*images.files][:2])} and labels "
            f"{', '.join([*labels.files][:2])}: where names differ, write {{id}} for what they share, as *_mask.png → "
            "{id}_mask.png"
        )
    lists = {split: rule for split, rule in rules.items() if isinstance(rule, str)}
    shares = {split: rule for split, rule in rules.items() if isinstance(rule, Fraction)}
    if lists:
        taken = splits.listed(row, root, lists, images.files)
        problems = [*splits.misfits(row, root, lists, taken, images.files)]
        wanted = {name for names in taken.values() for name in names}
    else:
        taken = splits.shared_out(shares, images.files.keys() & labels.files.keys())
        problems = [*_empty(row, taken), *_lonely(row, root, images.files, labels.files)]
        wanted = {*images.files}
    problems += _unlabelled(row, root, sorted(wanted & images.files.keys()), images.files, labels.files)
    return Layout(
        root=root,
        images=images.files,
        labels=labels.files,
        splits=taken,
        problems=(*images.problems, *labels.problems, *problems),
    )


def _unlabelled(
    row: Row, root: Path, wanted: Sequence[str], images: Mapping[str, str], labels: Mapping[str, str]
) -> Iterator[str]:
    for name in wanted:
        if name not in labels:
            yield f"{root / images[name]} has no label {name} in {row.labels}: add it, or take the image out"


def _lonely(row: Row, root: Path, images: Mapping[str, str], labels: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(labels.keys() - images.keys()):
        yield f"{root / labels[name]} has no image {name} in {row.images}: add it, or take the label out"


def _empty(row: Row, taken: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for split, names in taken.items():
        if not names:
            yield f"{row.name}.splits gives {split} none of the images: raise its share, add images, or write lists"
