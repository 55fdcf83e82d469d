"""A user's own data: images and labels as they lie in an ordinary folder, described by a row of params.yaml."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pipeline.core import fields
from pipeline.core.types import DatasetSpec, Encoded, Refusal, Sample, visible
from pipeline.datasets.own import coding, find
from pipeline.datasets.own.coding import Row
from pipeline.datasets.own.images import as_indices, as_rgb

LEAST = 32  # pixels: the stride of every net's coarsest map, of which a smaller image may have no cell


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Paths by id relative to ``root``, the ids of each split, and a line for each problem, in a fixed order.

    ``unused`` says what lies there and is in no split, by the reason; empty where there is nothing.
    """

    root: Path
    images: Mapping[str, str]
    labels: Mapping[str, str]
    splits: Mapping[str, Sequence[str]]
    problems: Sequence[str]
    unused: str

    def read(self, name: str) -> Mapping[str, Encoded]:
        """The bytes of an id's image and label, ``color`` and ``semantic``; Refusal for a file that cannot be read."""
        paths = {"color": self.root / self.images[name], "semantic": self.root / self.labels[name]}
        try:
            return {column: Encoded(bytes=path.read_bytes(), path=str(path)) for column, path in paths.items()}
        except OSError as error:
            raise Refusal(f"{error.filename} cannot be read ({error.strerror}): see that you may read it") from None


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A row made into a dataset: what files in ``pipeline/datasets`` offer as modules. ``parse`` makes them.

    ``raw`` is everywhere the row's root. Pickles, so that ``sample`` runs in spawned workers.
    """

    name: str
    row: Row
    coding: coding.Coding
    rules: Mapping[str, find.Rule]

    @property
    def SPEC(self) -> DatasetSpec:  # noqa: N802 - datasets that are modules have it as a constant
        return DatasetSpec(name=self.name, images=("color",), labels={"semantic": self.coding.label})

    def splits(self, raw: Path) -> tuple[str, ...]:
        """The splits' names in the order written."""
        return tuple(self.rules)

    def ids(self, raw: Path, split: str) -> list[str]:
        """The split's ids: in list order, or sorted where shares decide.

        Raises Refusal for the first problem in the names of the folder's files; ``check_folder`` lists all.
        """
        found = self.survey(raw)
        if found.problems:
            raise _first(found.problems)
        return list(found.splits[split])

    def read(self, raw: Path, wanted: Iterable[str]) -> Iterator[tuple[str, Mapping[str, Encoded]]]:
        """The bytes of each wanted image and label, in the order asked for; their paths are as given by ``raw``."""
        found = self.survey(raw)
        for name in wanted:
            yield name, found.read(name)

    def sample(self, name: str, parts: Mapping[str, Encoded]) -> Sample:
        """One sample: an RGB image of any 8-bit format, the label as a palette PNG of class indices, void 255.

        Raises Refusal naming the file, and the first pixel where pixels are to blame.
        """
        semantic, height, width = as_indices(self.coding, parts["semantic"])
        color = as_rgb(parts["color"], parts["semantic"], height, width)
        if min(height, width) < LEAST:
            what = f"is {height}×{width} (height×width), and nets take at least {LEAST}×{LEAST}"
            raise Refusal(f"{parts['color'].path} {what}: enlarge it and its label, or leave both out")
        return Sample(id=name, height=height, width=width, images={"color": color}, labels={"semantic": semantic})

    def survey(self, raw: Path) -> Layout:
        """Where everything lies, with every problem in the names; no image is opened."""
        return _survey(f"folders.{self.name}", self.row, self.rules, raw)


def parse(name: str, row: Mapping[str, object]) -> Folder:
    """The dataset of the row ``folders.<name>``.

    Raises Refusal for a field that is unknown, missing or cannot be understood. Nothing is read from disk.
    """
    where = f"folders.{name}"
    read = fields.read(Row, where, row)
    return Folder(
        name=name,
        row=read,
        coding=coding.parse(where, read),
        rules=find.parse_splits(f"{where}.splits", read.splits),
    )


def _survey(where: str, row: Row, rules: Mapping[str, find.Rule], root: Path) -> Layout:
    """Look through ``root`` without opening an image; ``where`` is the row's dotted name, for refusals.

    Shares divide all images, so each must have a label and each label an image. Lists choose: what no list names is
    left alone, labelled or not.

    Raises Refusal where nothing can be paired at all: see ``find.find`` and ``find.listed``.
    """
    problems: list[str] = []
    images = find.find(f"{where}.images", root, row.images, problems)
    labels = find.find(f"{where}.labels", root, row.labels, problems)
    if not images.keys() & labels.keys():
        if problems:
            raise _first(problems)
        names = " and labels ".join(", ".join([*files][:2]) for files in (images, labels))
        remedy = "where names differ, write {id} for what they share, as *_mask.png → {id}_mask.png"
        raise Refusal(f"{where}: no image has a label, images being named such as {names}: {remedy}")
    shares = {split: rule for split, rule in rules.items() if isinstance(rule, Fraction)}
    if shares:
        taken, wanted = find.shared_out(shares, images.keys() & labels.keys()), set(images)
        remedy = "raise its share, add images, or write lists"
        problems += [
            f"{where}.splits gives {split} none of the images: {remedy}" for split in taken if not taken[split]
        ]
        lonely = sorted(labels.keys() - images.keys())
        remedy = "add it, or take the label out"
        problems += [f"{root / labels[name]} has no image {name} in {row.images}: {remedy}" for name in lonely]
    else:
        taken = {split: find.listed(f"{where}.splits", root, str(rules[split]), images) for split in rules}
        wanted = {name for names in taken.values() for name in names}
        problems += find.misfits(root, rules, taken, images)
    lonely = sorted((wanted & images.keys()) - labels.keys())
    remedy = "add it, or take the image out"
    problems += [f"{root / images[name]} has no label {name} in {row.labels}: {remedy}" for name in lonely]
    others = find.passed_over(root, (row.images, row.labels), {*images.values(), *labels.values()})
    unused = _unused(others, images, labels, {name for names in taken.values() for name in names})
    return Layout(root=root, images=images, labels=labels, splits=taken, problems=problems, unused=unused)


def _first(problems: Sequence[str]) -> Refusal:
    more = f" (the first of {len(problems)} such problems)" if problems[1:] else ""
    return Refusal(f"{problems[0]}{more}")


def _unused(
    others: Mapping[str, list[str]], images: Mapping[str, str], labels: Mapping[str, str], kept: Collection[str]
) -> str:
    """How many files are in no split, by the reason, with the first of each."""
    reasons = {
        **others,
        "images in no split": [path for name, path in images.items() if name not in kept],
        "labels without an image": [path for name, path in labels.items() if name not in images],
    }
    parts = (f"{why}: {len(paths)} ({paths[0]}{', …' * bool(paths[1:])})" for why, paths in reasons.items() if paths)
    return visible("; ".join(parts))
