"""Every number the authors printed, table by table, each with the recipe that repeats it where one does."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

TABLE1, TABLE2, TABLE3, TABLE4, TABLE5 = (f"CVPR 2015, Table {number}" for number in range(1, 6))
EXTRA = "CVPR 2015, §4.1"
APPENDIX = "arXiv:1411.4038v2, Appendix A"
TABLE6 = "arXiv:1411.4038v2, Table 6"
README = "shelhamer/fcn.berkeleyvision.org, README"
RELEASED = "released weights, as scored by wkentaro/fcn"
ABSTRACT = "PAMI 2016, abstract"
PAMI = "PAMI 2016, unverified"  # from memory: no transcription of its tables could be found
# A recipe's reference is its row in the first of these: the authors' released nets are the nets our recipes repeat, and
# PAMI's have their solver, the heavy one; CVPR's had another.
PRECEDENCE = (RELEASED, README, PAMI, TABLE2, EXTRA, TABLE1, TABLE4, TABLE5, TABLE6, TABLE3, ABSTRACT)
HEAVY = "one image a step, momentum 0.99 (heavy), FCN-AlexNet's 20 at 0.9"
SOLVERS = {
    **dict.fromkeys((TABLE1, TABLE2, EXTRA, TABLE3, TABLE4, TABLE5, TABLE6), "20 images a step, momentum 0.9"),
    **dict.fromkeys((README, RELEASED, ABSTRACT), HEAVY),
    PAMI: f"{HEAVY}, but for the nets that it names otherwise",
}
METRICS = {"pixel_acc": "pixel acc.", "mean_acc": "mean acc.", "mean_iu": "mean IU", "fw_iu": "f.w. IU"}


class Published(NamedTuple):
    """One printed row; scores in percent as printed, None where nothing was.

    ``net`` is its name there; ``recipe`` the key of params.yaml's recipes, ours or yet to come, that repeats it, None
    for somebody else's method.
    """

    source: str
    split: str
    head: str
    net: str
    recipe: str | None
    pixel_acc: float | None
    mean_acc: float | None
    mean_iu: float | None
    fw_iu: float | None


def _row(line: Sequence[str]) -> Published:
    scores = (float(score) if score else None for score in line[5:])
    return Published._make([*line[:4], line[4] or None, *scores])


with Path(__file__).with_name("published.tsv").open(encoding="utf-8", newline="") as file:
    PUBLISHED = tuple(map(_row, [*csv.reader(file, delimiter="\t")][1:]))


# Table 1's columns that are no scores: ms for 500×500 px on a K40c, layers, 10⁶ parameters, receptive field, stride.
NETWORKS = {
    "FCN-AlexNet": (50, 8, 57, 355, 32),
    "FCN-VGG16": (210, 16, 134, 404, 32),
    "FCN-GoogLeNet": (59, 22, 6, 907, 32),
}
# Table 3's inference times per image; the text adds: 114 times faster (convnet alone), 286 times (overall).
TIMES = {"R-CNN [12]": None, "SDS [16]": "~50 s", "FCN-8s": "~175 ms"}
# Mean IU in percent of ground truth sampled down by a factor and up again, on "a subset of PASCAL 2011 val".
BOUNDS = {128: 50.9, 64: 73.3, 32: 86.1, 16: 92.8, 8: 96.4, 4: 98.5}
