"""An evaluation counts all images once, refuses other classes, and repeats to the byte."""

import csv
import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml

from pipeline import determinism
from pipeline.core.types import DatasetSpec, LabelSpec, Refusal
from pipeline.evaluation import outputs
from pipeline.evaluation.evaluate import evaluate
from pipeline.evaluation.outputs import Row
from pipeline.fcn.net import FCN
from pipeline.metrics.scores import scores
from pipeline.panels import panels
from pipeline.runtime.distributed import ALONE, Group
from pipeline.runtime.observer import Observer
from pipeline.spec import NetSpec
from pipeline.weights import checkpoint
from tests.launch import finish, launch
from tests.split import encoded, written
from tests.training.world import Seen, runtime

ROOT = Path(__file__).parents[2]
LABEL = LabelSpec(classes=("background", "cat", "dog"), palette=((0, 0, 0), (64, 0, 0), (64, 0, 128)))


def split(folder: Path, ids: Sequence[str], label: LabelSpec = LABEL) -> Path:
    """A split of noise: images of several sizes, labels of classes 0 and 1 with some void; never class 2."""
    spec = DatasetSpec(name="noise", images=("color",), labels={"semantic": label})
    rows = []
    for index, name in enumerate(ids):
        rng = np.random.default_rng(index)
        height, width = 20 + index, 33
        semantic = rng.choice(np.array([0, 0, 1, 255], np.uint8), (height, width))
        color = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        rows.append(
            {"id": name, "color": encoded(color), "semantic": encoded(semantic), "height": height, "width": width}
        )
    return written(folder, spec, rows)


def model(path: Path) -> Path:
    """A thin VGG16 with random weights that says background and cat about equally often."""
    spec = NetSpec(
        backbone="vgg16", width=1 / 32, crop=32, padding=100, mean=(127.0,) * 3, stride=8, heads={"semantic": LABEL}
    )
    net = FCN(spec)
    generator = torch.Generator().manual_seed(7)
    weights = {name: torch.randn(w.shape, generator=generator) * 0.3 for name, w in net.state_dict().items()}
    checkpoint.save(path, weights, spec)
    return path


def run(world: Path, out: Path, observer: Observer | None = None, group: Group = ALONE) -> None:
    device = determinism.start({"torch": torch.__version__.split("+")[0], "threads": 1})
    evaluate(
        model=world / "model.safetensors",
        shards=world / "val",
        out=out,
        device=device,
        scale="miniature",
        group=group,
        observer=observer,
    )


def test_who_looks_on_sees_the_scores_run_to_what_is_written(tmp_path: Path) -> None:
    split(tmp_path / "val", [f"2008_{i:06d}" for i in range(7)])
    model(tmp_path / "model.safetensors")
    run(tmp_path, tmp_path / "watched", seen := Seen())
    run(tmp_path, tmp_path / "alone")
    assert contents(tmp_path / "watched") == contents(tmp_path / "alone")
    metrics = json.loads((tmp_path / "alone/metrics.json").read_text())
    assert [step for step, _ in seen.points] == list(range(1, 8))
    assert seen.points[-1][1]["running/semantic/mean_iu"] == metrics["semantic"]["mean_iu"]
    assert seen.points[-1][1]["throughput"] > 0 and not seen.pictures, "an evaluation's pictures are its panels"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_evaluation_leaves_numbers_counts_and_pictures(tmp_path: Path) -> None:
    ids = [f"2008_{i:06d}" for i in range(10)]
    split(tmp_path / "val", ids)
    model(tmp_path / "model.safetensors")
    run(tmp_path, tmp_path / "eval/voc-fcn8s")

    metrics = json.loads((tmp_path / "eval/voc-fcn8s/metrics.json").read_text())
    table = pq.read_table(tmp_path / "eval/voc-fcn8s/hist.parquet").to_pydict()
    hist = np.array(table["pixels"]).reshape(3, 3)
    found = scores(hist, LABEL.classes)
    classes = {name: found.pop(name) for name in ("iu", "absent")}
    assert json.loads((tmp_path / "eval/voc-fcn8s/classes.json").read_text()) == {"semantic": classes}
    assert metrics == {
        "semantic": found,
        "images": 10,
        "ids_sha256": hashlib.sha256("".join(f"{name}\n" for name in ids).encode()).hexdigest(),
        "scale": "miniature",
    }
    assert (classes["absent"], classes["iu"]["dog"]) == (["dog"], None)
    assert table["truth"][:4] == ["background", "background", "background", "cat"]
    assert table["predicted"][:4] == ["background", "cat", "dog", "background"]
    labelled = sum(
        int((np.random.default_rng(i).choice(np.array([0, 0, 1, 255]), (20 + i, 33)) != 255).sum()) for i in range(10)
    )
    assert hist.sum() == labelled
    limits = json.loads((tmp_path / "eval/voc-fcn8s/limits.json").read_text())
    assert limits.keys() == metrics.keys()
    assert limits["semantic"].keys() == {"trimap", "boundary", "size"}
    assert limits["semantic"]["trimap"]["40px"]["pixel_acc"] == metrics["semantic"]["pixel_acc"], "noise: all is near"
    with (tmp_path / "eval/voc-fcn8s/images.tsv").open(newline="") as file:
        scored = list(csv.DictReader(file, delimiter="\t"))
    assert [(row["head"], int(row["position"]), row["id"]) for row in scored] == [
        ("semantic", position, name) for position, name in enumerate(ids)
    ]
    iu = [float(row["mean_iu"]) for row in scored]
    rows = {row.place: row for row in panels.read(tmp_path / "eval/voc-fcn8s")}
    evenly = [0, 1, 2, 3, 5, 6, 7, 8]
    assert [row.id for row in rows.values() if row.spread] == [ids[k] for k in evenly]
    assert [*rows][8:] == ["best-1", "median-1", "worst-1", "worst-2", "worst-3"]
    assert rows["best-1"].id == ids[np.argmax(iu)]
    assert rows["worst-1"].id == ids[np.argmin(iu)]
    for row in rows.values():
        legal = row.truth != 255
        assert row.label == LABEL
        assert (row.predicted == row.truth)[legal].mean() == float(scored[ids.index(row.id)]["pixel_acc"])
    drawn = {path.name for path in (tmp_path / "eval/voc-fcn8s/panels").iterdir()}
    assert drawn == {f"{row.place}-{row.id}.png" for row in rows.values()}


def test_processes_that_share_the_images_write_the_bytes_of_one(tmp_path: Path) -> None:
    split(tmp_path / "data/shards/noise/val", ["b/c", *(f"2008_{i:06d}" for i in range(10))])
    model(tmp_path / "runs/noise-fcn8s/model.safetensors")
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    row = {"net": {"backbone": "vgg16"}, "evaluate": {"shards": "noise", "split": "val"}}
    versions = {"pyarrow": pa.__version__}
    params = {"runtime": runtime(), "parquet": versions, "scale": "miniature", "recipes": {"noise-fcn8s": row}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    wrote = []
    for processes in (1, 3):
        started = launch(tmp_path, "stages.evaluate", "noise-fcn8s", "noise/val", processes=processes)
        said = "noise-fcn8s, semantic: predicts one class only (dog, which 0.0% of the pixels are)\n"
        assert finish(started) == (said, ""), "such are its random weights"
        wrote.append(contents(tmp_path / "eval"))
        shutil.rmtree(tmp_path / "eval")
    assert len(wrote[0]) == 6 + 8 + 5
    assert wrote[0] == wrote[1]


def test_a_net_of_other_classes_is_refused(tmp_path: Path) -> None:
    other = LabelSpec(classes=("background", "dog", "cat"), palette=LABEL.palette)
    split(tmp_path / "val", ["b"], other)
    model(tmp_path / "model.safetensors")
    with pytest.raises(Refusal, match="disagree on 'semantic'"):
        run(tmp_path, tmp_path / "out")


def test_an_illegal_label_is_refused_by_image_and_leaves_nothing(tmp_path: Path) -> None:
    one = LabelSpec(classes=("background", "cat", "dog"), palette=LABEL.palette, ignore_label=254)
    split(tmp_path / "val", ["b"], one)  # its labels hold 255, which is neither class nor void now
    spec, tensors = checkpoint.load(model(tmp_path / "model.safetensors"))
    heads = {"semantic": one}
    checkpoint.save(tmp_path / "model.safetensors", tensors, NetSpec(**{**spec.__dict__, "heads": heads}))
    with pytest.raises(Refusal, match=r"b \(semantic\): label holds \[255\]"):
        run(tmp_path, tmp_path / "out")
    assert not contents(tmp_path / "out")


def row(position: int, mean_iu: float | None, head: str = "semantic") -> Row:
    return Row(head=head, position=position, id=f"image {position}", pixel_acc=mean_iu, mean_iu=mean_iu)


def test_best_median_and_worst_are_by_mean_iu_and_of_equals_the_first_comes_first() -> None:
    rows = [row(position, iu) for position, iu in enumerate([0.5, 0.9, 0.1, 0.4, 0.3, 0.7])]
    others = [row(position, 1 - position / 10, "geometric") for position in range(6)]
    chosen = outputs.extremes([*rows, *others, row(6, None)], "semantic")
    places = {"best-1": 1, "median-1": 3, "worst-1": 2, "worst-2": 4, "worst-3": 3}
    assert {place: each.position for place, each in chosen.items()} == places
    equal = [row(position, 0.5) for position in range(5)]
    chosen = outputs.extremes(equal, "semantic")
    assert chosen == outputs.extremes(equal[::-1], "semantic")
    assert [each.position for each in chosen.values()] == [0, 2, 0, 1, 2]
    assert outputs.extremes([row(0, None)], "semantic") == {}
