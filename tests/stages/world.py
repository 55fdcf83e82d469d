"""A repository in which dvc has run a miniature of two recipes: no stage runs for it, but `publish` in it."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner, Result
from mlflow.entities import Run
from PIL import Image

from pipeline.core.types import DatasetSpec
from pipeline.shards.schema import Manifest
from pipeline.tracking.connect import connect
from stages.publish import main
from stages.shared.dvc import entries as read

DVC = """
stages:
  miniature: {foreach: "${miniatures}", do: {cmd: "python -m stages.miniature ${key}"}}
  download: {foreach: "${downloads}", do: {cmd: "python -m stages.download ${key}"}}
  convert: {foreach: "${datasets}", do: {cmd: "python -m stages.convert ${key}"}}
  train:
    foreach: "${recipes}"
    do: {cmd: "python -m stages.train ${key}", desc: "Train ${key} on ${item.data.shards}/${item.data.split}"}
  evaluate: {foreach: "${recipes}", do: {cmd: "python -m stages.evaluate ${key} voc/seg11valid"}}
  report: {cmd: python -m stages.report}
  publish: {cmd: python -m stages.publish}
"""
PARAMS = {
    "miniatures": {"voc": {"seed": 7}},
    "downloads": {},
    "datasets": {"voc": {}},
    "recipes": {name: {"data": {"shards": "voc", "split": "train"}} for name in ("voc-fcn32s", "voc-fcn8s")},
}
TABLE = """recipe,head,mean_iu,published_pixel_acc,published_mean_iu
voc-fcn32s,semantic,50.0,90.1,63.6
voc-fcn8s,semantic,50.0,90.5,65.5
voc-fcn8s-mine,semantic,50.0,,
"""
CLASSES = ("background", "cat", "dog")
HIST = [[80, 10, 0], [5, 15, 0], [0, 0, 0]]
CHILDREN = 7


def enter(root: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``build`` in ``root``, with a copy of the empty ``store``, as the working directory."""
    shutil.copy(store, root / "mlflow.db")
    monkeypatch.chdir(root)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    return build(root)


def build(root: Path) -> Path:
    """Write dvc.yaml, params.yaml, dvc.lock, which also remembers another scale, and what the stages wrote."""
    (root / "dvc.yaml").write_text(DVC)
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    entries = {
        "download@voc": entry("python -m stages.download voc", outs={"data/raw/voc": "from-another-scale"}),
        "miniature@voc": entry(
            "python -m stages.miniature voc", outs={"data/raw/voc": "a1.dir"}, params={"miniatures.voc.seed": 7}
        ),
        "convert@voc": entry(
            "python -m stages.convert voc", deps={"data/raw/voc": "a1.dir"}, outs={"data/shards/voc": "c3.dir"}
        ),
        "publish": entry("python -m stages.publish", deps={"results": "e5.dir"}),
    }
    for split in ("train", "seg11valid"):
        manifest(root, split)
    for recipe, lr in {"voc-fcn32s": 1e-7, "voc-fcn8s": 1e-8}.items():
        entries |= trained(root, recipe, lr, "b2")
    (root / "results").mkdir()
    (root / "results/table.md").write_text("# ours\n")
    (root / "results/table.csv").write_text(TABLE)
    entries["report"] = entry("python -m stages.report", deps={"eval": "d4.dir"}, outs={"results": "e5.dir"})
    lock(root, entries)
    return root


def entry(cmd: str, deps: Any = None, outs: Any = None, params: Any = None) -> dict[str, Any]:
    """A dvc.lock entry; sizes are there as DVC writes them."""
    row: dict[str, Any] = {"cmd": cmd}
    for name, paths in {"deps": deps or {}, "outs": outs or {}}.items():
        row[name] = [{"path": path, "hash": "md5", "md5": md5, "size": 3} for path, md5 in paths.items()]
    return row | ({"params": {"params.yaml": params}} if params else {})


def trained(root: Path, recipe: str, lr: float, model: str) -> dict[str, Any]:
    """The entries of a recipe's train and evaluate, with their files on disk."""
    scores, stride = root / "eval" / recipe, int(recipe.split("fcn")[1].split("s")[0])
    (scores / "panels").mkdir(parents=True, exist_ok=True)
    (scores / "history.tsv").write_text("iteration\tloss\n5\t2.5\n10\t1.25\n")
    head = {"pixel_acc": 0.9, "mean_acc": 0.6, "mean_iu": 0.5, "fw_iu": 0.8, "iu": {"cat": 0.5, "dog": None}}
    metrics = {"semantic": {**head, "absent": ["dog"]}, "images": 2, "ids_sha256": "abc", "scale": "miniature"}
    (scores / "metrics.json").write_text(json.dumps(metrics))
    size = {"lt01": {"objects": 3, "mean_iu": 0.25}, "gt16": {"objects": 0, "mean_iu": None}}
    limits = {"trimap": {"03px": {"mean_iu": 0.4, "pixel_acc": 0.7}}, "boundary": {"f": 0.3}, "size": size}
    (scores / "limits.json").write_text(json.dumps({**metrics, "semantic": limits}))
    cells = [
        {"head": "semantic", "truth": CLASSES[i], "predicted": CLASSES[j], "pixels": HIST[i][j]}
        for i in range(3)
        for j in range(3)
    ]
    pq.write_table(pa.Table.from_pylist(cells), scores / "hist.parquet")
    pixels = np.random.default_rng(0).integers(0, 256, (20, 80, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(scores / "panels/00-2007_000033.png")
    names = ("hist.parquet", "limits.json", "metrics.json")
    files = {f"eval/{recipe}/{name}": md5(scores / name) for name in names}
    return {
        f"train@{recipe}": entry(
            f"python -m stages.train {recipe}",
            deps={"data/shards/voc": "c3.dir", "pipeline/fcn": "n1.dir"},
            outs={f"runs/{recipe}/model.safetensors": model, f"eval/{recipe}/history.tsv": md5(scores / "history.tsv")},
            params={
                f"recipes.{recipe}.net": {"backbone": "vgg16", "stride": stride, "heads": ["semantic"]},
                f"recipes.{recipe}.data": {"shards": "voc", "split": "train"},
                f"recipes.{recipe}.solver": {"lr": lr},
                "runtime": {"threads": 2},
            },
        ),
        f"evaluate@{recipe}": entry(
            f"python -m stages.evaluate {recipe} voc/seg11valid",
            deps={f"runs/{recipe}/model.safetensors": model, "data/shards/voc": "c3.dir", "pipeline/metrics": "s1.dir"},
            outs={**files, f"eval/{recipe}/panels": "p1.dir"},
            params={"scale": "miniature"},
        ),
    }


def manifest(root: Path, split: str) -> Path:
    """A manifest as convert writes it; its digest is of the split's name."""
    spec = DatasetSpec(name="voc", images=("color",), labels={})
    digest = hashlib.sha256(split.encode()).hexdigest()
    of = Manifest(
        spec=spec, split=split, ids=("a", "b"), ids_sha256="abc", pixels={}, moments={}, shards=(), digest=digest
    )
    path = root / "data/shards/voc" / split / "_manifest.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(of.to_json()))
    return path


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def lock(root: Path, entries: dict[str, Any]) -> None:
    (root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": entries}))


def locked(root: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((root / "dvc.lock").read_text())["stages"])


def retrained(root: Path, lr: float, model: str) -> None:
    """Another lr for voc-fcn8s, as dvc.lock tells it once all that builds on it has run again."""
    report = entry("python -m stages.report", deps={"eval": f"d-{model}.dir"}, outs={"results": "e5.dir"})
    lock(root, locked(root) | trained(root, "voc-fcn8s", lr, model) | {"report": report})


def runs(root: Path, **tags: str) -> list[Run]:
    """The runs in ``root``'s store, oldest first; an underscore in a tag's name stands for a dot."""
    client, experiment = connect(root)
    wanted = " and ".join(f"tags.`{name.replace('_', '.')}` = '{value}'" for name, value in tags.items())
    return list(client.search_runs([experiment], wanted, order_by=["attributes.start_time"]))


def run(root: Path, stage: str) -> Run:
    (only,) = runs(root, dvc_stage=stage)
    return only


def parents(root: Path) -> list[Run]:
    return [each for each in runs(root) if "dvc.lock" in each.data.tags]


def told(root: Path) -> dict[str, tuple[Any, list[str]]]:
    """Everything that a store holds of each run, its artifacts' names too."""
    client, _ = connect(root)

    def files(run_id: str, folder: str | None = None) -> list[str]:
        found = client.list_artifacts(run_id, folder)
        return [name for each in found for name in (files(run_id, each.path) if each.is_dir else [each.path])]

    return {each.info.run_id: (each.to_dictionary(), files(each.info.run_id)) for each in runs(root)}


def publish() -> str:
    done = invoke()
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


def invoke() -> Result:
    done = CliRunner().invoke(main, [])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def said(new: int = 0, completed: int = 0, adopted: int = 0, unchanged: int = 0) -> str:
    return f"published {new} new runs, {completed} completed, {adopted} adopted, {unchanged} unchanged, under "


def artifact(root: Path, of: Run, path: str) -> str:
    client, _ = connect(root)
    return Path(client.download_artifacts(of.info.run_id, path, str(root))).read_text()


def live(root: Path, stage: str, status: str = "FINISHED", **changed: str) -> Run:
    """A run as live tracking leaves it when ``stage`` has ended, with ``changed`` tags."""
    client, experiment = connect(root)
    tags = {"dvc.stage": stage, "dvc.outputs": read(root)[stage].outputs, "live.fingerprint": "f1"}
    tags |= {"git.commit": "c0ffee", "git.dirty": "false"}
    made = client.create_run(experiment, tags={**tags, **changed}, run_name=stage)
    for step in range(1, 11):
        client.log_metric(made.info.run_id, "loss", 12.5 / step, step=step)
    client.log_param(made.info.run_id, "host", "here")
    client.set_terminated(made.info.run_id, status)
    return made
