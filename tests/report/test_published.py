"""The published rows are all there, and agree with what the papers' texts say of them."""

from collections import Counter

import pytest

from pipeline.core import plugins
from pipeline.published import ladder, published
from pipeline.published.published import EXTRA, PUBLISHED, README, RELEASED, TABLE1, TABLE2, TABLE3, TABLE6

NAMES = """
voc-fcn32s voc-fcn32s-scores voc-fcn32s-voc voc-fcn32s-patch50 voc-fcn32s-scratch voc-fcn16s voc-fcn16s-max voc-fcn8s
voc-fcn8s-atonce voc-fcn4s voc-fcn-alexnet voc-fcn-googlenet voc-fcn-googlenet-scratch voc-fcn16s-googlenet
nyud-fcn32s-color nyud-fcn32s-color-d nyud-fcn32s-hha nyud-fcn32s-color-hha nyud-fcn16s-color-hha
siftflow-fcn32s siftflow-fcn16s siftflow-fcn8s pascalcontext-fcn8s mine-fcn32s unnamed
"""
LADDER = NAMES.split()


def iou(source: str, net: str, split: str = "") -> float:
    (row,) = (row for row in PUBLISHED if (row.source, row.net) == (source, net) and split in row.split)
    assert row.mean_iu is not None
    return row.mean_iu


def test_every_row_is_there_once_with_a_score_in_percent() -> None:
    rows = {TABLE1: 3, TABLE2: 4, EXTRA: 3, TABLE3: 5, published.TABLE4: 6, published.TABLE5: 9, TABLE6: 10, README: 6}
    rows |= {RELEASED: 4, published.ABSTRACT: 1, published.PAMI: 15}
    assert Counter(row.source for row in PUBLISHED) == rows
    assert set(published.PRECEDENCE) == published.SOLVERS.keys() == {row.source for row in PUBLISHED}
    assert {row.net for row in PUBLISHED if row.source == TABLE1} == set(published.NETWORKS)
    assert len({(row.net, row.head, row.split, row.source) for row in PUBLISHED}) == len(PUBLISHED)
    repeated = [(row.recipe, row.head, row.split, row.source) for row in PUBLISHED if row.recipe]
    assert len(set(repeated)) == len(repeated)
    for row in PUBLISHED:
        scores = [score for score in (row.pixel_acc, row.mean_acc, row.mean_iu, row.fw_iu) if score is not None]
        assert scores and all(1 < score < 100 for score in scores)


def test_the_texts_agree_with_the_tables() -> None:
    """ "by 3.0 mean IU to 62.4", "by 3.4 points to 59.4", "20 % relative" (SDS), "11 %" (CFM), "30 %" (SDS)."""
    assert iou(TABLE2, "FCN-16s") - iou(TABLE2, "FCN-32s") == pytest.approx(3.0)
    assert iou(EXTRA, "FCN-VGG16 on 8498 images") - iou(EXTRA, "FCN-VGG16 on 1112 images") == pytest.approx(3.4)
    assert iou(TABLE1, "FCN-VGG16") == iou(EXTRA, "FCN-VGG16 on 1112 images")
    assert iou(TABLE3, "FCN-8s", "2012") / iou(TABLE3, "SDS [16]", "2012") == pytest.approx(1.2, abs=0.01)
    assert iou(TABLE6, "FCN-8s", "59") / iou(TABLE6, "CFM", "59") == pytest.approx(1.11, abs=0.005)
    assert iou(published.ABSTRACT, "FCN-8s") / iou(TABLE3, "SDS [16]", "2012") == pytest.approx(1.3, abs=0.005)
    for row in (row for row in PUBLISHED if row.source == RELEASED):
        (other,) = (one for one in PUBLISHED if (one.source, one.recipe, one.split) == (README, row.recipe, row.split))
        assert other.mean_iu == round(row.mean_iu or 0.0, 1), "the README rounds what the released weights score"


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
