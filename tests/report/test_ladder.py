"""A recipe's name says where it stands and what it varies."""

from __future__ import annotations

import pytest

from pipeline.core import plugins
from pipeline.published import ladder

NAMES = """
voc-fcn32s voc-fcn32s-scores voc-fcn32s-voc voc-fcn32s-patch50 voc-fcn32s-scratch voc-fcn16s voc-fcn16s-max voc-fcn8s
voc-fcn8s-atonce voc-fcn4s voc-fcn-alexnet voc-fcn-googlenet voc-fcn-googlenet-scratch voc-fcn16s-googlenet
nyud-fcn32s-color nyud-fcn32s-color-d nyud-fcn32s-hha nyud-fcn32s-color-hha nyud-fcn16s-color-hha
siftflow-fcn32s siftflow-fcn16s siftflow-fcn8s pascalcontext-fcn8s mine-fcn32s unnamed
"""
LADDER = NAMES.split()


@pytest.mark.parametrize("ending", ["", "-released"])
def test_the_ladder_goes_from_coarse_to_fine_within_a_family(ending: str) -> None:
    recipes = [f"{recipe}{ending}" for recipe in LADDER]
    assert sorted(recipes[::2] + recipes[1::2], key=ladder.place) == recipes


@pytest.mark.parametrize(
    ("recipe", "base"),
    [
        ("voc-fcn32s-scratch", "voc-fcn32s"),
        ("voc-fcn8s-atonce-released", "voc-fcn8s-released"),
        ("voc-fcn-googlenet-scratch", "voc-fcn-googlenet"),
        ("nyud-fcn32s-color-d", "nyud-fcn32s-color"),
        ("nyud-fcn32s-hha", None),
        ("nyud-fcn16s-color-hha", None),
        ("voc-fcn32s", None),
        ("voc-fcn8s-released", None),
        ("voc-fcn16s-googlenet", None),
        ("unnamed", None),
    ],
)
def test_a_variant_varies_the_nearest_recipe_that_its_name_begins_with(recipe: str, base: str | None) -> None:
    known = [*LADDER, *(f"{name}-released" for name in LADDER)]
    assert ladder.varied(recipe, known) == base
    assert ladder.varied(recipe, [recipe]) is None


@pytest.mark.parametrize("name", plugins.names("backbones"))
def test_a_backbone_is_known_as_soon_as_its_plugin_is_there(name: str) -> None:
    net = "mine-fcn8s" if name == "vgg16" else f"mine-fcn8s-{name}"
    assert ladder.backbone(net) == name
    assert ladder.varied(f"{net}-twice", [net]) == net


def test_a_ladder_is_what_differs_in_stride_alone_and_a_data_set_without_one_has_its_first_net() -> None:
    assert ladder.ladders(LADDER[::-1]) == [
        ["voc-fcn32s", "voc-fcn16s", "voc-fcn8s", "voc-fcn4s"],
        ["voc-fcn-googlenet", "voc-fcn16s-googlenet"],
        ["nyud-fcn32s-color-hha", "nyud-fcn16s-color-hha"],
        ["siftflow-fcn32s", "siftflow-fcn16s", "siftflow-fcn8s"],
        *(["pascalcontext-fcn8s"], ["mine-fcn32s"], ["unnamed"]),
    ]
    finest = ["voc-fcn4s", "nyud-fcn16s-color-hha", "siftflow-fcn8s", "pascalcontext-fcn8s", "mine-fcn32s", "unnamed"]
    assert ladder.finest(LADDER) == finest
