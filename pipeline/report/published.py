"""The published numbers, keyed by the recipe that repeats them, each with the place it was printed."""

from __future__ import annotations

from dataclasses import dataclass

TABLE1 = "CVPR 2015, Table 1"
EXTRA = "CVPR 2015, §4.3"
TABLE2 = "CVPR 2015, Table 2"
TABLE4 = "CVPR 2015, Table 4"
TABLE5 = "CVPR 2015, Table 5"
RELEASED = "released weights, as scored by wkentaro/fcn"
README = "shelhamer/fcn.berkeleyvision.org, README"

VOC11 = "VOC2011 val"
SEG11 = "seg11valid"
NYUD = "NYUDv2 test"
SIFT = "SIFT Flow test"


@dataclass(frozen=True, kw_only=True)
class Published:
    """One printed row; scores in percent as printed, None where nothing was.

    ``recipe`` is a key of params.yaml's recipes, or the citation of somebody else's method. The first row of a recipe
    and head is the one to compare with: the authors' released nets where they exist, for those recipes are ours.
    """

    recipe: str
    split: str
    source: str
    head: str = "semantic"
    pixel_acc: float | None = None
    mean_acc: float | None = None
    mean_iu: float | None = None
    fw_iu: float | None = None


def _row(recipe: str, split: str, source: str, *printed: float | None, head: str = "semantic") -> Published:
    pixel_acc, mean_acc, mean_iu, fw_iu = printed
    return Published(
        recipe=recipe,
        split=split,
        source=source,
        head=head,
        pixel_acc=pixel_acc,
        mean_acc=mean_acc,
        mean_iu=mean_iu,
        fw_iu=fw_iu,
    )


PUBLISHED: tuple[Published, ...] = (
    _row("voc-fcn32s", SEG11, RELEASED, 90.4810, 76.4824, 63.6261, 83.4580),
    _row("voc-fcn32s", SEG11, README, None, None, 63.6, None),
    _row("voc-fcn32s", SEG11, TABLE2, 89.1, 73.3, 59.4, 81.4),
    _row("voc-fcn32s", SEG11, EXTRA, None, None, 59.4, None),
    _row("voc-fcn32s", VOC11, TABLE1, None, None, 56.0, None),
    _row("voc-fcn32s-fixed", SEG11, TABLE2, 83.0, 59.7, 45.4, 72.0),
    _row("voc-fcn16s", SEG11, RELEASED, 90.9971, 78.0710, 65.0050, 84.2614),
    _row("voc-fcn16s", SEG11, README, None, None, 65.0, None),
    _row("voc-fcn16s", SEG11, TABLE2, 90.0, 75.7, 62.4, 83.0),
    _row("voc-fcn8s", SEG11, RELEASED, 91.2212, 77.6146, 65.5126, 84.5445),
    _row("voc-fcn8s", SEG11, README, None, None, 65.5, None),
    _row("voc-fcn8s", "VOC2012 test", README, None, None, 67.2, None),
    _row("voc-fcn8s", SEG11, TABLE2, 90.3, 75.9, 62.7, 83.2),
    _row("voc-fcn8s-atonce", SEG11, RELEASED, 91.1288, 78.4979, 65.3998, 84.4326),
    _row("voc-fcn8s-atonce", SEG11, README, None, None, 65.4, None),
    _row("voc-fcn-alexnet", SEG11, README, None, None, 48.0, None),
    _row("voc-fcn-alexnet", SEG11, EXTRA, None, None, 48.0, None),
    _row("voc-fcn-alexnet", VOC11, TABLE1, None, None, 39.8, None),
    _row("voc-fcn-googlenet", VOC11, TABLE1, None, None, 42.5, None),
    _row("nyud-fcn32s-color", NYUD, TABLE4, 60.0, 42.2, 29.2, 43.9),
    _row("nyud-fcn32s-color-d", NYUD, TABLE4, 61.5, 42.4, 30.5, 45.5),
    _row("nyud-fcn32s-hha", NYUD, TABLE4, 57.1, 35.2, 24.2, 40.4),
    _row("nyud-fcn32s-color-hha", NYUD, TABLE4, 64.3, 44.9, 32.8, 48.0),
    _row("nyud-fcn16s-color-hha", NYUD, TABLE4, 65.4, 46.1, 34.0, 49.5),
    _row("siftflow-fcn16s", SIFT, TABLE5, 85.2, 51.7, 39.5, 76.1),
    _row("siftflow-fcn16s", SIFT, TABLE5, 94.3, None, None, None, head="geometric"),
)

# Other people's methods, as the paper's tables cite them.
OTHERS: tuple[Published, ...] = (
    _row("Gupta et al. 2014", NYUD, TABLE4, 60.3, None, 28.6, 47.0),
    _row("Liu et al.", SIFT, TABLE5, 76.7, None, None, None),
    _row("Tighe and Lazebnik [33]", SIFT, TABLE5, 90.8, None, None, None, head="geometric"),
    _row("Tighe and Lazebnik [34], 1", SIFT, TABLE5, 75.6, 41.1, None, None),
    _row("Tighe and Lazebnik [34], 2", SIFT, TABLE5, 78.6, 39.2, None, None),
    _row("Farabet et al., 1", SIFT, TABLE5, 72.3, 50.8, None, None),
    _row("Farabet et al., 2", SIFT, TABLE5, 78.5, 29.6, None, None),
    _row("Pinheiro and Collobert", SIFT, TABLE5, 77.7, 29.8, None, None),
)
