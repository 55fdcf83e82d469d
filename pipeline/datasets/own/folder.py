"""A user's own data: images and labels as they lie in an ordinary folder, described by a row of params.yaml."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.types import DatasetSpec, Encoded, Refusal, Sample
from pipeline.datasets.own import coding, images, labels, layout, row, summary
from pipeline.datasets.own import splits as split_rules

FIELDS = row.FIELDS
"""The leaves of a ``folders`` row that this file reads, all of them needed."""


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A row made into a dataset: what files in ``pipeline/datasets`` offer as modules. ``parse`` makes them.

    ``raw`` is everywhere the row's root. Pickles, so that ``sample`` runs in spawned workers.
    """

    row: row.Row
    coding: coding.Coding
    rules: tuple[tuple[str, split_rules.Rule], ...]

    @property
    def SPEC(self) -> DatasetSpec:  # noqa: N802 - datasets that are modules have it as a constant
        name = self.row.name.removeprefix("folders.")
        return DatasetSpec(name=name, images=("color",), labels={"semantic": self.coding.label})

    def splits(self, raw: Path) -> tuple[str, ...]:
        """The splits' names in the order written."""
        return tuple(split for split, _ in self.rules)

    def ids(self, raw: Path, split: str) -> list[str]:
        """The split's ids: in list order, or sorted where shares decide.

        Raises Refusal for the first problem in the names of the folder's files; ``check`` tells all.
        """
        found = self.survey(raw)
        if found.problems:
            more = f" (the first of {len(found.problems)} such problems)" if found.problems[1:] else ""
            raise Refusal(f"{found.problems[0]}{more}")
        if split not in found.splits:
            raise Refusal(f"{self.row.name} has no split {split!r}: it has {', '.join(found.splits)}")
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
        semantic, height, width = labels.as_indices(self.coding, parts["semantic"])
        color = images.as_rgb(parts["color"], parts["semantic"], height, width)
        return Sample(id=name, height=height, width=width, images={"color": color}, labels={"semantic": semantic})

    def survey(self, raw: Path) -> layout.Layout:
        """Where everything lies, with every problem that names tell; no image is opened."""
        return layout.survey(self.row, dict(self.rules), raw)


def parse(name: str, fields: Mapping[str, object]) -> Folder:
    """The dataset of the row ``folders.<name>``; ``fields`` are its leaves: FIELDS.

    Raises Refusal for a field that is unknown, missing or cannot be understood. Nothing is read from disk.
    """
    described = row.read(f"folders.{name}", fields)
    return Folder(row=described, coding=coding.parse(described), rules=tuple(split_rules.parse(described).items()))


def check(name: str, fields: Mapping[str, object]) -> summary.Findings:
    """Read and encode every pair that a split holds, as converting does, and tell all that is wrong with any.

    Raises Refusal where there is nothing to walk through: an unreadable row, no root, no pair.
    """
    folder = parse(name, fields)
    return summary.walk(folder.SPEC, folder.survey(Path(folder.row.root)), folder.sample)
