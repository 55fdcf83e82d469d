"""Each image that a score has chosen stands beside its own score, by its own id."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.core.types import LabelSpec
from pipeline.evaluation import images, pictures
from pipeline.panels.shown import Seen
from pipeline.report import extremes
from pipeline.report.figures import Figures

LABEL = LabelSpec(classes=("sky", "sea"), palette=((0, 0, 0), (0, 128, 0)))


def test_two_ids_that_differ_in_one_character_that_no_file_name_has_keep_their_own_scores(tmp_path: Path) -> None:
    one = np.zeros((4, 6), np.uint8)
    heads = {"semantic": LABEL, "geometric": LABEL}
    rows, scores = [], []
    for place, (where, name, iu) in enumerate([("best-1", "a b", 0.75), ("worst-1", "a/b", 0.25)]):
        seen = Seen(name, np.zeros((4, 6, 3), np.uint8), dict.fromkeys(heads, one), dict.fromkeys(heads, one))
        rows += seen.rows(where, heads)
        facts = {"position": place, "id": name, "pixel_acc": 0.5}
        scores += [images.Row(head=head, mean_iu=iu if head == "semantic" else None, **facts) for head in heads]
    pictures.write(tmp_path / "eval/voc-fcn8s", rows)
    images.write(tmp_path / "eval/voc-fcn8s/images.tsv", scores, [*heads])
    told = "\n".join(extremes.section(tmp_path / "eval", ["voc-fcn8s"], Figures(tmp_path / "figures")))
    assert "| **best** a b: mean IU semantic 75.0 %, geometric – |" in told
    assert "| **worst** a/b: mean IU semantic 25.0 %, geometric – |" in told
    assert told.count("| ![image of a/b](figures/tiles/worst-1-voc-fcn8s-") == len(heads)
