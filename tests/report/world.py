"""A small eval/ as evaluations leave it: two strides of a net, each with everything that the page shows."""

import json
from pathlib import Path

import numpy as np

from pipeline.core.types import LabelSpec
from pipeline.evaluation import evaluate, outputs
from pipeline.panels.panels import Seen

LABEL = LabelSpec(classes=("background", "cat|<b>dog</b>"), palette=((0, 0, 0), (0, 128, 0)))
NETS = {"voc-fcn32s": 16, "voc-fcn8s": 4}  # pixels that a label's edge is off by
ROW = {
    "net": {"init": "weights/vgg16-fcn.safetensors", "start": "init"},
    "solver": {"iterations": 30, "batch": 2, "lr": 1e-8},
}
RECIPES = dict.fromkeys(NETS, ROW)


def evaluations(root: Path) -> Path:
    """``root``/eval of both nets and ``root``/bounds; returns the former."""
    for recipe, off in NETS.items():
        _evaluation(root / "eval" / recipe, off)
    (root / "bounds").mkdir()
    bounds = {"semantic": {"32": {"mean_iu": 0.6}, "8": {"mean_iu": 0.9}}, "images": 2, "ids_sha256": "x"}
    (root / "bounds/voc-seg11valid.json").write_text(json.dumps(bounds))
    return root / "eval"


def _evaluation(folder: Path, off: int) -> None:
    seen = []
    hist = np.zeros((2, 2), np.int64)
    for place, name in enumerate(("2007_1", "2007/1")):  # one character apart, that no file's name has
        truth = np.zeros((48, 64), np.uint8)
        truth[:, 24 + 8 * place :] = 1
        predicted = np.roll(truth, off, axis=1)
        predicted[:, :off] = 0
        truth[0] = 255
        seen.append(Seen(name, np.full((48, 64, 3), 90, np.uint8), {"semantic": truth}, {"semantic": predicted}))
        np.add.at(hist, (truth[1:], predicted[1:]), 1)
    places = zip(("00", "01", "best-1", "worst-1"), seen * 2, strict=True)
    outputs.write_panels(folder, [row for place, one in places for row in one.rows(place, {"semantic": LABEL})])
    evaluate.write_hist(folder / "hist.parquet", {"semantic": hist}, {"semantic": LABEL})
    iu = hist.diagonal() / (hist.sum(0) + hist.sum(1) - hist.diagonal())
    mean = float(iu.mean())
    scores = {"pixel_acc": int(hist.trace()) / int(hist.sum()), "mean_acc": 0.8, "mean_iu": mean, "fw_iu": 0.8}
    classes = {"absent": [], "iu": dict(zip(LABEL.classes, iu.tolist(), strict=True))}
    facts = {"images": 2, "ids_sha256": "x", "scale": "miniature"}
    (folder / "metrics.json").write_text(json.dumps({"semantic": scores, **facts}))
    (folder / "classes.json").write_text(json.dumps({"semantic": classes}))
    few = {"objects": 0, "mean_iu": None}
    limits = {
        "trimap": {"01px": {"mean_iu": None}, "05px": {"mean_iu": mean / 2}, "40px": {"mean_iu": mean}},
        "boundary": {"precision": 0.25, "recall": 0.5, "f": 1 / 3},
        "size": {**dict.fromkeys(("lt01", "01to04", "04to16"), few), "gt16": {"objects": 2, "mean_iu": mean}},
    }
    (folder / "limits.json").write_text(json.dumps({"semantic": limits, **facts}))
    images = "head\tposition\tid\tpixel_acc\tmean_iu\nsemantic\t0\t2007_1\t0.9\t0.75\nsemantic\t1\t2007/1\t0.8\t\n"
    (folder / "images.tsv").write_text(images)
    scores = "iteration\thead\tpixel_acc\tmean_acc\tmean_iu\tfw_iu\n"
    kept = {10: 0.25, 20: 0.75, 30: 0.5} if off == 16 else {}
    rows = "".join(f"{step}\tsemantic\t0.9\t0.8\t{score}\t0.7\n" for step, score in kept.items())
    if rows:
        (folder / "milestones.tsv").write_text(scores + rows)
    (folder / "history.tsv").write_text("iteration\tloss\n" + "".join(f"{k}\t{2 / k}\n" for k in range(1, 31)))
