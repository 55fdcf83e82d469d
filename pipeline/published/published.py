"""Every number the authors printed, table by table, each with the recipe that repeats it where one does."""

from __future__ import annotations

from dataclasses import dataclass

TABLE1 = "CVPR 2015, Table 1"
TABLE2 = "CVPR 2015, Table 2"
TABLE3 = "CVPR 2015, Table 3"
TABLE4 = "CVPR 2015, Table 4"
TABLE5 = "CVPR 2015, Table 5"
EXTRA = "CVPR 2015, §4.1"
APPENDIX = "arXiv:1411.4038v2, Appendix A"
TABLE6 = "arXiv:1411.4038v2, Table 6"
README = "shelhamer/fcn.berkeleyvision.org, README"
RELEASED = "released weights, as scored by wkentaro/fcn"
ABSTRACT = "PAMI 2016, abstract"
PAMI = "PAMI 2016, unverified"  # from memory: no transcription of its tables could be found
# A recipe's reference is its row in the first of these: the authors' released nets are the nets our recipes repeat.
PRECEDENCE = (RELEASED, README, TABLE2, EXTRA, TABLE1, TABLE4, TABLE5, TABLE6, TABLE3, ABSTRACT)

VOC11, SEG11 = "VOC2011 val", "seg11valid"
NYUD, SIFT = "NYUDv2 test", "SIFT Flow test"
CONTEXT59, CONTEXT33 = "PASCAL-Context val, 59 classes", "PASCAL-Context val, 33 classes"


@dataclass(frozen=True, kw_only=True)
class Published:
    """One printed row; scores in percent as printed, None where nothing was.

    ``net`` is its name there; ``recipe`` the key of params.yaml's recipes, ours or yet to come, that repeats it, None
    for somebody else's method.
    """

    net: str
    recipe: str | None
    split: str
    source: str
    head: str
    pixel_acc: float | None
    mean_acc: float | None
    mean_iu: float | None
    fw_iu: float | None

    @property
    def verified(self) -> bool:
        """Whether somebody compared it with the print."""
        return self.source != PAMI


Row = tuple[str, str | None, float | None, float | None, float | None, float | None]


def _rows(source: str, split: str, *rows: Row, head: str = "semantic") -> tuple[Published, ...]:
    """Rows of (net, recipe, pixel acc., mean acc., mean IU, f.w. IU)."""
    return tuple(
        Published(
            net=net,
            recipe=recipe,
            split=split,
            source=source,
            head=head,
            pixel_acc=pixel_acc,
            mean_acc=mean_acc,
            mean_iu=mean_iu,
            fw_iu=fw_iu,
        )
        for net, recipe, pixel_acc, mean_acc, mean_iu, fw_iu in rows
    )


def _ious(source: str, split: str, *rows: tuple[str, str | None, float]) -> tuple[Published, ...]:
    """Rows that print nothing but a mean IU."""
    return _rows(source, split, *((net, recipe, None, None, mean_iu, None) for net, recipe, mean_iu in rows))


PUBLISHED: tuple[Published, ...] = (
    *_ious(
        TABLE1,
        VOC11,
        ("FCN-AlexNet", "voc-fcn-alexnet", 39.8),
        ("FCN-VGG16", "voc-fcn32s", 56.0),
        ("FCN-GoogLeNet", "voc-fcn-googlenet", 42.5),
    ),
    *_rows(
        TABLE2,
        SEG11,
        ("FCN-32s-fixed", "voc-fcn32s-scores", 83.0, 59.7, 45.4, 72.0),
        ("FCN-32s", "voc-fcn32s", 89.1, 73.3, 59.4, 81.4),
        ("FCN-16s", "voc-fcn16s", 90.0, 75.7, 62.4, 83.0),
        ("FCN-8s", "voc-fcn8s", 90.3, 75.9, 62.7, 83.2),
    ),
    *_ious(EXTRA, VOC11, ("FCN-VGG16 on 1112 images", "voc-fcn32s-voc", 56.0)),
    *_ious(
        EXTRA,
        SEG11,
        ("FCN-VGG16 on 8498 images", "voc-fcn32s", 59.4),
        ("FCN-AlexNet on 8498 images", "voc-fcn-alexnet", 48.0),
    ),
    *_ious(TABLE3, "VOC2011 test", ("R-CNN [12]", None, 47.9), ("SDS [16]", None, 52.6), ("FCN-8s", "voc-fcn8s", 62.7)),
    *_ious(TABLE3, "VOC2012 test", ("SDS [16]", None, 51.6), ("FCN-8s", "voc-fcn8s", 62.2)),
    *_rows(
        TABLE4,
        NYUD,
        ("Gupta et al. [14]", None, 60.3, None, 28.6, 47.0),
        ("FCN-32s RGB", "nyud-fcn32s-color", 60.0, 42.2, 29.2, 43.9),
        ("FCN-32s RGBD", "nyud-fcn32s-color-d", 61.5, 42.4, 30.5, 45.5),
        ("FCN-32s HHA", "nyud-fcn32s-hha", 57.1, 35.2, 24.2, 40.4),
        ("FCN-32s RGB-HHA", "nyud-fcn32s-color-hha", 64.3, 44.9, 32.8, 48.0),
        ("FCN-16s RGB-HHA", "nyud-fcn16s-color-hha", 65.4, 46.1, 34.0, 49.5),
    ),
    *_rows(
        TABLE5,
        SIFT,
        ("Liu et al. [23]", None, 76.7, None, None, None),
        ("Tighe et al. [34] 1", None, 75.6, 41.1, None, None),
        ("Tighe et al. [34] 2", None, 78.6, 39.2, None, None),
        ("Farabet et al. [8] 1", None, 72.3, 50.8, None, None),
        ("Farabet et al. [8] 2", None, 78.5, 29.6, None, None),
        ("Pinheiro et al. [28]", None, 77.7, 29.8, None, None),
        ("FCN-16s", "siftflow-fcn16s", 85.2, 51.7, 39.5, 76.1),
    ),
    *_rows(
        TABLE5,
        SIFT,
        ("Tighe et al. [33]", None, 90.8, None, None, None),
        ("FCN-16s", "siftflow-fcn16s", 94.3, None, None, None),
        head="geometric",
    ),
    *_ious(TABLE6, CONTEXT59, ("O2P", None, 18.1), ("CFM", None, 31.5)),
    *_rows(
        TABLE6,
        CONTEXT59,
        ("FCN-32s", "pascalcontext-fcn32s", 63.8, 42.7, 31.8, 48.3),
        ("FCN-16s", "pascalcontext-fcn16s", 65.7, 46.2, 34.8, 50.7),
        ("FCN-8s", "pascalcontext-fcn8s", 65.9, 46.5, 35.1, 51.0),
    ),
    *_ious(TABLE6, CONTEXT33, ("O2P", None, 29.2), ("CFM", None, 46.1)),
    *_rows(
        TABLE6,
        CONTEXT33,
        ("FCN-32s", None, 69.8, 65.1, 50.4, 54.9),
        ("FCN-16s", None, 71.8, 68.0, 53.4, 57.5),
        ("FCN-8s", None, 71.8, 67.6, 53.5, 57.7),
    ),
    *_ious(
        README,
        SEG11,
        ("FCN-32s PASCAL", "voc-fcn32s", 63.6),
        ("FCN-16s PASCAL", "voc-fcn16s", 65.0),
        ("FCN-8s PASCAL", "voc-fcn8s", 65.5),
        ("FCN-8s PASCAL at-once", "voc-fcn8s-atonce", 65.4),
        ("FCN-AlexNet PASCAL", "voc-fcn-alexnet", 48.0),
    ),
    *_ious(README, "VOC2012 test", ("FCN-8s PASCAL", "voc-fcn8s", 67.2)),
    *_rows(
        RELEASED,
        SEG11,
        ("FCN-32s", "voc-fcn32s", 90.4810, 76.4824, 63.6261, 83.4580),
        ("FCN-16s", "voc-fcn16s", 90.9971, 78.0710, 65.0050, 84.2614),
        ("FCN-8s", "voc-fcn8s", 91.2212, 77.6146, 65.5126, 84.5445),
        ("FCN-8s at-once", "voc-fcn8s-atonce", 91.1288, 78.4979, 65.3998, 84.4326),
    ),
    *_ious(ABSTRACT, "VOC2012 test", ("FCN-8s", "voc-fcn8s", 67.2)),
    *_rows(
        PAMI,
        SEG11,
        ("FCN-32s fixed", "voc-fcn32s-scores", 82.9, 64.6, 46.6, 72.3),
        ("FCN-32s accum", None, 86.0, 66.5, 51.9, 76.5),
        ("FCN-32s online", None, 89.3, 76.2, 60.7, 81.8),
        ("FCN-32s heavy", "voc-fcn32s", 90.5, 76.5, 63.6, 83.5),
    ),
    *_ious(PAMI, SEG11, ("pool5 alone", None, 50.0), ("pool4 alone", None, 22.4), ("pool3 alone", None, 9.2)),
    *_ious(PAMI, "VOC2011 test", ("FCN-8s", "voc-fcn8s", 67.5)),
    *_rows(
        PAMI,
        NYUD,
        ("FCN-32s RGB", "nyud-fcn32s-color", 61.8, 44.7, 31.6, 46.0),
        ("FCN-32s RGB-D", "nyud-fcn32s-color-d", 62.1, 44.8, 31.7, 46.3),
        ("FCN-32s HHA", "nyud-fcn32s-hha", 58.3, 35.7, 25.2, 41.7),
        ("FCN-32s RGB-HHA", "nyud-fcn32s-color-hha", 65.3, 44.0, 33.3, 48.6),
    ),
    *_rows(PAMI, SIFT, ("FCN-8s", "siftflow-fcn8s", 85.9, 53.9, 41.2, 77.2)),
    *_rows(PAMI, SIFT, ("FCN-8s", "siftflow-fcn8s", 94.6, None, None, None), head="geometric"),
    *_rows(PAMI, CONTEXT59, ("FCN-8s", "pascalcontext-fcn8s", 67.5, 52.3, 39.1, 53.0)),
)


@dataclass(frozen=True)
class Network:
    """Table 1's columns that are no scores: ms for 500×500 px on a K40c, layers, 10⁶ parameters, pixels, pixels."""

    net: str
    forward: int
    convolutions: int
    parameters: int
    receptive_field: int
    stride: int


NETWORKS = (
    Network("FCN-AlexNet", 50, 8, 57, 355, 32),
    Network("FCN-VGG16", 210, 16, 134, 404, 32),
    Network("FCN-GoogLeNet", 59, 22, 6, 907, 32),
)
# Table 3's inference times per image; the text adds: 114 times faster (convnet alone), 286 times (overall).
TIMES = {"R-CNN [12]": None, "SDS [16]": "~50 s", "FCN-8s": "~175 ms"}
# Mean IU in percent of ground truth sampled down by a factor and up again, on "a subset of PASCAL 2011 val".
BOUNDS = {128: 50.9, 64: 73.3, 32: 86.1, 16: 92.8, 8: 96.4, 4: 98.5}
