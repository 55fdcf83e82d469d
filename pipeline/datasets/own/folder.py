"""A user's own data: images and labels as they lie in an ordinary folder, described by a row of params.yaml."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PurePath

from pipeline.core import fields
from pipeline.core.types import DatasetSpec, Encoded, Refusal, Sample
from pipeline.datasets.own import coding, find, splits
from pipeline.datasets.own.coco import Listed, listed
from pipeline.datasets.own.coding import Row
from pipeline.datasets.own.images import as_rgb
from pipeline.datasets.own.labels import as_indices

LEAST = 32  # pixels: the stride of every net's coarsest map, of which a smaller image may have no cell


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Paths by id relative to ``root``, the ids of each split, and a line for each problem, in a fixed order.

    A label's paths are keyed as ``find.find`` does it; ``objects`` has what COCO says of an id instead of its file.
    ``unused`` says what lies there and is in no split, by the reason; empty where there is nothing.
    """

    root: Path
    images: Mapping[str, str]
    labels: find.Files
    objects: Mapping[str, Listed]
    splits: Mapping[str, Sequence[str]]
    problems: Sequence[str]
    unused: str

    def read(self, name: str) -> Mapping[str, Encoded]:
        """The bytes of an id's image, ``color``, and of its label's files; Refusal for a file that cannot be read.

        They are ``semantic``, or with encoding masks ``semantic/`` and a class's name each.
        """
        labels = {f"semantic/{kind}".rstrip("/"): path for kind, path in self.labels[name].items()}
        objects = {"semantic": self.objects[name].encoded(self.root)} if name in self.objects else {}
        paths = {key: self.root / path for key, path in {"color": self.images[name], **labels}.items()}
        try:
            read = {key: path.read_bytes() for key, path in paths.items() if key not in objects}
            return {key: Encoded(bytes=data, path=str(paths[key])) for key, data in read.items()} | objects
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
    rules: Mapping[str, splits.Rule]

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
        files = {key.partition("/")[2]: file for key, file in parts.items() if key != "color"}
        semantic, height, width = as_indices(self.coding, files)
        color = as_rgb(parts["color"], next(iter(files.values())), height, width)
        if self.coding.encoding in coding.BY_NAME:  # one label of several files, or a part of one
            semantic = Encoded(bytes=semantic.bytes, path=f"{PurePath(parts['color'].path).stem}.png")
        if min(height, width) < LEAST:
            what = f"is {height}×{width} (height×width), and nets take at least {LEAST}×{LEAST}"
            raise Refusal(f"{parts['color'].path} {what}: enlarge it and its label, or leave both out")
        return Sample(id=name, height=height, width=width, images={"color": color}, labels={"semantic": semantic})

    def survey(self, raw: Path) -> Layout:
        """Where everything lies, with every problem in the names; no image is opened."""
        return _survey(f"folders.{self.name}", self, raw)


def parse(name: str, row: Mapping[str, object]) -> Folder:
    """The dataset of the row ``folders.<name>``.

    Raises Refusal for a field that is unknown, missing or cannot be understood. Nothing is read from disk.
    """
    where = f"folders.{name}"
    read = fields.read(Row, where, row)
    splits.grouped(f"{where}.group", read.group)
    return Folder(
        name=name,
        row=read,
        coding=coding.parse(where, read),
        rules=splits.parse(f"{where}.splits", read.splits),
    )


def _survey(where: str, folder: Folder, root: Path) -> Layout:
    """Look through ``root`` without opening an image; ``where`` is the row's dotted name, for refusals.

    Shares divide all images, so each must have a label and each label an image. Lists and folders choose: what is in
    none is left alone, labelled or not.

    Raises Refusal where nothing can be paired at all: see ``find.find`` and ``splits.listed``.
    """
    row, problems = folder.row, list[str]()
    images = {name: of[""] for name, of in find.find(f"{where}.images", root, row.images, problems).items()}
    kinds = folder.coding.named if row.encoding == "masks" else ()
    labels = find.find(f"{where}.labels", root, row.labels, problems, kinds)
    taken = {*images.values(), *(path for of in labels.values() for path in of.values())}
    others = find.passed_over(root, (row.images, row.labels), taken)
    objects: dict[str, Listed] = {}
    if row.encoding == "coco":
        objects = listed(root, [of[""] for of in labels.values()], images, problems)
        labels = {name: {"": one.path} for name, one in objects.items()}
    if not images.keys() & labels.keys():
        if problems:
            raise _first(problems)
        names = " and labels ".join(", ".join([*names][:2]) for names in (images, labels))
        remedy = "where names differ, write {id} for what they share, as *_mask.png → {id}_mask.png"
        raise Refusal(f"{where}: no image has a label, images being named such as {names}: {remedy}")
    chosen, wanted = _chosen(where, folder, root, (images, labels), problems)
    lonely = sorted((wanted & images.keys()) - labels.keys())
    remedy = "add it, or take the image out"
    problems += [f"{root / images[name]} has no label {name} in {row.labels}: {remedy}" for name in lonely]
    unused = find.unused(others, images, labels, {name for names in chosen.values() for name in names})
    return Layout(
        root=root, images=images, labels=labels, objects=objects, splits=chosen, problems=problems, unused=unused
    )


def _chosen(
    where: str, folder: Folder, root: Path, found: tuple[Mapping[str, str], find.Files], problems: list[str]
) -> tuple[dict[str, list[str]], set[str]]:
    """The ids of each split, and of all images that must have a label; ``found`` are images and labels by id."""
    (images, labels), row, rules = found, folder.row, folder.rules
    group = splits.grouped(f"{where}.group", row.group)
    shares = {split: rule for split, rule in rules.items() if isinstance(rule, Fraction)}
    if shares:
        taken = splits.shared_out(shares, images.keys() & labels.keys(), group)
        remedy = "raise its share, add images, or write lists"
        problems += [
            f"{where}.splits gives {split} none of the images: {remedy}" for split in taken if not taken[split]
        ]
        lonely = sorted(labels.keys() - images.keys())
        remedy = "add it, or take the label out"
        problems += [f"{root / _one(labels[name])} has no image {name} in {row.images}: {remedy}" for name in lonely]
        return taken, set(images)
    taken = {split: splits.listed(f"{where}.splits", root, str(rules[split]), images) for split in rules}
    problems += splits.misfits(root, rules, taken, images)
    if row.group:
        problems += splits.split_apart(group, taken)
    return taken, {name for names in taken.values() for name in names}


def _one(paths: Mapping[str, str]) -> str:
    return next(iter(paths.values()))


def _first(problems: Sequence[str]) -> Refusal:
    more = f" (the first of {len(problems)} such problems)" if problems[1:] else ""
    return Refusal(f"{problems[0]}{more}")
