"""What a recipe's name says: its data set, its place on the ladder from coarse to fine, the recipe it varies."""

import re
from collections.abc import Collection, Iterable, Sequence

from pipeline.core import plugins
from pipeline.published.published import PRECEDENCE, PUBLISHED, Published

DATASETS = {"voc": "PASCAL VOC", "nyud": "NYUDv2", "siftflow": "SIFT Flow", "pascalcontext": "PASCAL-Context"}
BACKBONES = ("", *(name for name in plugins.names("backbones") if name != "vgg16"))  # a VGG16's name does not say so
NAMED = "|".join(map(re.escape, BACKBONES[1:]))
NET = re.compile(rf"(?P<dataset>\w+)-fcn(?:(?P<stride>\d+)s)?(?:-(?P<backbone>{NAMED}))?(?:-(?P<variant>.+))?")
IMPORTED = "-released"  # the authors' own weights, scored here


def printed(recipe: str) -> str:
    """The recipe that the published numbers are kept under: an import's is the net's it brings."""
    return recipe.removesuffix(IMPORTED)


def reference(recipe: str, head: str) -> Published | None:
    """The row to compare a recipe's head with, evaluated or not: of several, the first in ``PRECEDENCE``."""
    wanted = printed(recipe), head
    rows = [row for row in PUBLISHED if (row.recipe, row.head) == wanted]
    return min(rows, key=lambda row: PRECEDENCE.index(row.source), default=None)


def _net(recipe: str) -> re.Match[str] | None:
    return NET.fullmatch(printed(recipe))


def _word(recipe: str, group: str) -> str:
    return ((net := _net(recipe)) and net[group]) or ""


def dataset(recipe: str) -> str:
    """Its data set as the paper writes it, or as the name has it where the paper does not know it."""
    name = _word(recipe, "dataset")
    return DATASETS.get(name, name) or "other"


def backbone(recipe: str) -> str:
    """The plugin that its name says, vgg16 where it says none."""
    return _word(recipe, "backbone") or "vgg16"


def stride(recipe: str) -> int:
    """Pixels between the scores of its finest map; 32 where its name does not say."""
    return int(_word(recipe, "stride") or 32)


def head_order(head: str) -> tuple[bool, str]:
    """Sort key of heads: semantic first."""
    return head != "semantic", head


def title(recipe: str, head: str) -> str:
    """What stands over the picture of a family: data set, backbone, and a head that is not the semantic one."""
    return f"{dataset(recipe)}, {backbone(recipe)}" + (f", {head}" if head != "semantic" else "")


def ladders(recipes: Iterable[str]) -> list[list[str]]:
    """Families of nets that differ in stride alone, each from coarse to fine, in the order of ``place``.

    Of a data set in which no two nets do, its first net stands alone.
    """
    families: dict[str, list[str]] = {}
    for recipe in sorted(recipes, key=place):
        families.setdefault(re.sub(r"-fcn\d+s", "-fcn", recipe), []).append(recipe)
    climbed = [family for family in families.values() if len({stride(recipe) for recipe in family}) > 1]
    for family in families.values():
        if dataset(family[0]) not in {dataset(other[0]) for other in climbed}:
            climbed.append(family)
    return sorted(climbed, key=lambda family: place(family[0]))


def finest(recipes: Iterable[str]) -> list[str]:
    """The last net of the first ladder of each data set."""
    nets: dict[str, str] = {}
    for family in ladders(recipes):
        nets.setdefault(dataset(family[0]), family[-1])
    return [*nets.values()]


def place(recipe: str) -> tuple[int, str, int, int, int, str, str]:
    """Sort key: data set, backbone, stride from coarse to fine, then variants, published ones first in print's order.

    voc-fcn32s < voc-fcn32s-scratch < voc-fcn16s < voc-fcn8s < voc-fcn-googlenet < nyud-fcn32s-color
    """
    net = _net(recipe)
    if net is None:
        return len(DATASETS) + 1, "", 0, 0, 0, "", recipe
    name, variant = net["dataset"], net["variant"] or ""
    order = _rank(printed(recipe), [row.recipe for row in PUBLISHED]) if variant else -1
    backbone = BACKBONES.index(net["backbone"] or "")
    return _rank(name, [*DATASETS]), name, backbone, -stride(recipe), order, variant, recipe


def _rank(name: str, known: Sequence[str | None]) -> int:
    return known.index(name) if name in known else len(known)


def varied(recipe: str, known: Collection[str]) -> str | None:
    """The recipe among ``known`` that this one varies: its name without the last words of its variant.

    Of voc-fcn32s-scratch that is voc-fcn32s, of nyud-fcn32s-color-hha nyud-fcn32s-color; another backbone or stride is
    another rung, no variant.
    """
    net = _net(recipe)
    if net is None or not net["variant"]:
        return None
    words = net["variant"].split("-")
    stem = printed(recipe).removesuffix(f"-{net['variant']}")
    ending = recipe.removeprefix(printed(recipe))
    shorter = ("-".join([stem, *words[:count]]) + ending for count in reversed(range(len(words))))
    return next((name for name in shorter if name in known), None)
