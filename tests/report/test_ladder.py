"""A recipe's name says where it stands and what it varies."""

from __future__ import annotations

import pytest

from pipeline.core import plugins
from pipeline.published import ladder

LADDER = [
    "voc-fcn32s",
    "voc-fcn32s-scores",
    "voc-fcn32s-voc",
    "voc-fcn32s-patch50",
    "voc-fcn32s-scratch",
    "voc-fcn16s",
    "voc-fcn16s-max",
    "voc-fcn8s",
    "voc-fcn8s-atonce",
    "voc-fcn4s",
    "voc-fcn-alexnet",
    "voc-fcn-googlenet",
    "voc-fcn-googlenet-scratch",
    "voc-fcn16s-googlenet",
    "nyud-fcn32s-color",
    "nyud-fcn32s-color-d",
    "nyud-fcn32s-hha",
    "nyud-fcn32s-color-hha",
    "nyud-fcn16s-color-hha",
    "siftflow-fcn32s",
    "siftflow-fcn16s",
    "siftflow-fcn8s",
    "pascalcontext-fcn8s",
    "mine-fcn32s",
    "something else",
]


def test_the_ladder_goes_from_coarse_to_fine_within_a_family() -> None:
    shuffled = LADDER[::2] + LADDER[1::2]
    assert sorted(shuffled, key=ladder.place) == LADDER
    released = [f"{recipe}-released" for recipe in shuffled]
    assert sorted(released, key=ladder.place) == [f"{recipe}-released" for recipe in LADDER]


@pytest.mark.parametrize(
    ("recipe", "base"),
    [
        ("voc-fcn32s-scratch", "voc-fcn32s"),
        ("voc-fcn32s-patch50", "voc-fcn32s"),
        ("voc-fcn8s-atonce", "voc-fcn8s"),
        ("voc-fcn8s-atonce-released", "voc-fcn8s-released"),
        ("voc-fcn-googlenet-scratch", "voc-fcn-googlenet"),
        ("nyud-fcn32s-color-d", "nyud-fcn32s-color"),
        ("nyud-fcn32s-color-hha", "nyud-fcn32s-color"),
        ("nyud-fcn32s-hha", None),
        ("nyud-fcn16s-color-hha", None),
        ("voc-fcn32s", None),
        ("voc-fcn8s-released", None),
        ("voc-fcn16s-googlenet", None),
        ("something else", None),
    ],
)
def test_a_variant_varies_the_nearest_recipe_that_its_name_begins_with(recipe: str, base: str | None) -> None:
    known = [*LADDER, *(f"{name}-released" for name in LADDER)]
    assert ladder.varied(recipe, known) == base
    assert ladder.varied(recipe, [recipe]) is None


def test_data_sets_have_the_papers_names() -> None:
    names = {"voc-fcn8s-released": "PASCAL VOC", "nyud-fcn32s-hha": "NYUDv2", "siftflow-fcn8s": "SIFT Flow"}
    names |= {"mine-fcn8s": "mine", "something else": "other"}
    assert {recipe: ladder.dataset(recipe) for recipe in names} == names


def test_a_backbone_is_known_as_soon_as_its_plugin_is_there() -> None:
    for name in plugins.names("backbones"):
        word = "" if name == "vgg16" else f"-{name}"
        assert ladder.backbone(f"mine-fcn8s{word}") == name
        assert ladder.varied(f"mine-fcn8s{word}-twice", [f"mine-fcn8s{word}"]) == f"mine-fcn8s{word}"


def test_a_ladder_is_what_differs_in_stride_alone_and_a_data_set_without_one_has_its_first_net() -> None:
    assert ladder.ladders(LADDER[::-1]) == [
        ["voc-fcn32s", "voc-fcn16s", "voc-fcn8s", "voc-fcn4s"],
        ["voc-fcn-googlenet", "voc-fcn16s-googlenet"],
        ["nyud-fcn32s-color-hha", "nyud-fcn16s-color-hha"],
        ["siftflow-fcn32s", "siftflow-fcn16s", "siftflow-fcn8s"],
        ["pascalcontext-fcn8s"],
        ["mine-fcn32s"],
        ["something else"],
    ]
    finest = ["voc-fcn4s", "nyud-fcn16s-color-hha", "siftflow-fcn8s", "pascalcontext-fcn8s", "mine-fcn32s"]
    assert ladder.finest(LADDER) == [*finest, "something else"]
    assert ladder.ladders(["voc-fcn32s-released", "voc-fcn8s-released"]) == [
        ["voc-fcn32s-released", "voc-fcn8s-released"]
    ]
