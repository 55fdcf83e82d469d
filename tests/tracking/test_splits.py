"""A stage's shards are named by what convert wrote of them, and what is not here is told."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.tracking import splits
from tests.stages.world import manifest


def test_splits_of_a_folder_or_of_a_data_set_but_not_of_a_manifest_alone(tmp_path: Path) -> None:
    for split in ("train", "val"):
        manifest(tmp_path, split)
    digest = json.loads((tmp_path / "data/shards/voc/val/manifest.json").read_text())["digest"]
    read, missing = splits.read(tmp_path, ["data/shards/voc/val"], {"voc": "https://a/b.tar"}, "evaluation")
    assert [(each.name, each.digest, each.rows, each.source, each.context) for each in read] == [
        ("voc/val", digest, 2, "https://a/b.tar", "evaluation")
    ]
    assert missing == []
    read, _ = splits.read(tmp_path, ["data/shards/voc"], {}, "describe")
    assert [each.name for each in read] == ["voc/train", "voc/val"]
    assert splits.read(tmp_path, ["data/shards/voc/train/manifest.json", "runs/a"], {}, "x") == ([], [])


def test_what_is_not_on_this_disk_is_missing(tmp_path: Path) -> None:
    read, missing = splits.read(tmp_path, ["data/shards/voc/train", "data/shards/sbd"], {}, "training")
    assert (read, missing) == ([], ["data/shards/voc/train/manifest.json", "data/shards/sbd"])
