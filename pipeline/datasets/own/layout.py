"""Where a folder's images and labels lie and which split each is in, with every problem that names tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pipeline.core.types import Encoded, Refusal
from pipeline.datasets.own import find, splits
from pipeline.datasets.own.row import Row


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Paths by id relative to ``root``, the ids of each split, and a line for each problem, in a fixed order."""

    root: Path
    images: Mapping[str, str]
    labels: Mapping[str, str]
    splits: Mapping[str, Sequence[str]]
    problems: Sequence[str]

    def read(self, name: str) -> Mapping[str, Encoded]:
        """The bytes of an id's image and label, ``color`` and ``semantic``; Refusal for a file that cannot be read."""
        paths = {"color": self.root / self.images[name], "semantic": self.root / self.labels[name]}
        try:
            return {column: Encoded(bytes=path.read_bytes(), path=str(path)) for column, path in paths.items()}
        except OSError as error:
            raise Refusal(f"{error.filename} cannot be read ({error.strerror}): see that you may read it") from None


def survey(where: str, row: Row, rules: Mapping[str, splits.Rule], root: Path) -> Layout:
    """Look through ``root`` without opening an image; ``where`` is the row's dotted name, for refusals.

    Shares divide all images, so each must have a label and each label an image. Lists choose: what no list names is
    left alone, labelled or not.

    Raises Refusal where nothing can be paired at all: see ``find.find`` and ``splits.listed``.
    """
    problems: list[str] = []
    images = find.find(f"{where}.images", root, row.images, problems)
    labels = find.find(f"{where}.labels", root, row.labels, problems)
    if not images.keys() & labels.keys():
        names = " and labels ".join(", ".join([*files][:2]) for files in (images, labels))
        remedy = "where names differ, write {id} for what they share, as *_mask.png → {id}_mask.png"
        raise Refusal(f"{where}: no image has a label, images being named such as {names}: {remedy}")
    shares = {split: rule for split, rule in rules.items() if isinstance(rule, Fraction)}
    if shares:
        taken, wanted = splits.shared_out(shares, images.keys() & labels.keys()), set(images)
        remedy = "raise its share, add images, or write lists"
        problems += [
            f"{where}.splits gives {split} none of the images: {remedy}" for split in taken if not taken[split]
        ]
        lonely = sorted(labels.keys() - images.keys())
        remedy = "add it, or take the label out"
        problems += [f"{root / labels[name]} has no image {name} in {row.images}: {remedy}" for name in lonely]
    else:
        taken = {split: splits.listed(f"{where}.splits", root, str(rules[split]), images) for split in rules}
        wanted = {name for names in taken.values() for name in names}
        problems += splits.misfits(root, rules, taken, images)
    lonely = sorted((wanted & images.keys()) - labels.keys())
    remedy = "add it, or take the image out"
    problems += [f"{root / images[name]} has no label {name} in {row.labels}: {remedy}" for name in lonely]
    return Layout(root=root, images=images, labels=labels, splits=taken, problems=problems)
