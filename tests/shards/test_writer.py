"""Conversion gives the same bytes for any number of processes, keeps the originals', and writes all or nothing."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from pipeline.convert import write_shard, writer
from pipeline.convert.write_shard import plugin
from pipeline.core import files
from pipeline.core.types import Refusal
from pipeline.datasets import voc
from pipeline.shards import schema
from pipeline.shards.reader import Shards
from pipeline.shards.schema import read_manifest
from tests.shards.world import convert, encoded, pack, tree

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared/real"
MANY = [f"{place * 13 % 37:02d}" for place in range(37)]
NOISE = np.random.default_rng(0).integers(0, 21, (6, 9), np.uint8)
WHITE = np.zeros((6, 9, 3), np.uint8)


def elsewhere(home: Path, code: str, **environment: str) -> subprocess.Popen[str]:
    """Python in a process of its own."""
    path = os.pathsep.join([str(ROOT), *sys.path])
    start = f"from pathlib import Path; from tests.shards.world import convert\n{code}"
    return subprocess.Popen(
        [sys.executable, "-c", start],
        env=os.environ | {"PYTHONPATH": path, **environment},
        cwd=home,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_bytes_depend_on_no_process_run_or_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = pack(tmp_path / "raw", MANY)
    other = elsewhere(tmp_path, "convert(Path(), 'again')")
    first = tree(convert(tmp_path, expect=counts))
    assert tree(convert(tmp_path, "out2", processes=2)) == first
    monkeypatch.setattr(write_shard, "WAVE", 20)  # rows: the archive is then read in two waves
    assert tree(convert(tmp_path, "waves")) == first
    other.communicate()
    assert tree(tmp_path / "again") == first
    assert sorted(name for name in first if name.startswith("train/")) == [
        "train/_manifest.json",
        "train/part-00000-of-00002.parquet",
        "train/part-00001-of-00002.parquet",
    ]


@pytest.mark.skipif(find_spec("ray") is None, reason="the extra [ray] is not installed")
def test_ray_writes_the_bytes_that_processes_write_and_refuses_alike(tmp_path: Path) -> None:
    """In a process of its own, for Ray keeps threads and a key in HOME."""
    pack(tmp_path / "raw", MANY)
    pack(tmp_path / "bad", MANY, **{"05_png": encoded(np.full((6, 9), 21, np.uint8), "PNG")})
    (tmp_path / "home").mkdir()
    code = """
from pipeline.core.types import Refusal
for raw in ("raw", "bad"):
    try:
        convert(Path(), f"{raw}-ray", raw=raw, rows=10, engine="ray")
    except Refusal as refusal:
        print(refusal)
"""
    ran = elsewhere(tmp_path, code, HOME=str(tmp_path / "home"), RAY_ADDRESS="local")  # whatever cluster runs here
    told, _ = ran.communicate()
    assert tree(tmp_path / "raw-ray") == tree(convert(tmp_path, rows=10))
    assert told.startswith("voc: 05.png has label 21 at row 0, column 0: ")
    assert {path.name for path in tmp_path.iterdir()} == {"bad", "home", "out", "raw", "raw-ray"}


def test_an_engine_that_is_unknown_or_absent_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as where it is not installed
    pack(tmp_path / "raw", ["a", "b"])
    refusals = {
        "ray": r"parquet\.engine is ray, which is not installed: pip install 'fcn-pipeline\[ray\]'",
        "spark": r"parquet\.engine is 'spark': it is pool or ray",
    }
    for engine, message in refusals.items():
        with pytest.raises(Refusal, match=message):
            convert(tmp_path, engine=engine)
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_files_are_plain_parquet_of_the_original_bytes_in_list_order(tmp_path: Path) -> None:
    names = [f"{place * 13 % 40:02d}" for place in range(40)]
    pack(tmp_path / "raw", names)
    originals = dict(voc.read(tmp_path / "raw", names))
    file = pq.ParquetFile(convert(tmp_path, rows=40) / "train/part-00000-of-00001.parquet")
    rows, metadata = file.read().to_pylist(), file.metadata
    assert [row["id"] for row in rows] == names
    for row in rows:
        assert row["color"] == {"bytes": originals[row["id"]]["color"], "path": f"{row['id']}.jpg"}
        assert row["semantic"] == {"bytes": originals[row["id"]]["semantic"], "path": f"{row['id']}.png"}
        assert (row["height"], row["width"]) == (6, 9)
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [16, 16, 8]
    columns = [metadata.row_group(0).column(place) for place in range(metadata.num_columns)]
    assert {column.compression for column in columns} == {"UNCOMPRESSED"}
    assert not any(column.has_dictionary_page for column in columns)
    assert [column.path_in_schema for column in columns if column.is_stats_set] == ["id", "height", "width"]


def test_manifest_tells_what_the_rows_hold(tmp_path: Path) -> None:
    pack(tmp_path / "raw", ["x", "z", "y"])
    out = convert(tmp_path, rows=2) / "train"
    shards = Shards(out)
    manifest = shards.manifest
    assert manifest.spec == voc.SPEC
    assert (manifest.split, manifest.ids) == ("train", ("x", "z", "y"))
    assert manifest.ids_sha256 == hashlib.sha256(b"x\nz\ny\n").hexdigest()
    examples = [shards[row] for row in range(3)]
    labels = np.stack([example.labels["semantic"] for example in examples])
    pixels = manifest.pixels["semantic"]
    assert pixels["void"] == (labels == 255).sum() > 0
    assert pixels["tvmonitor"] == (labels == 20).sum() > 0
    assert sum(pixels.values()) == labels.size
    colors = np.stack([example.images["color"] for example in examples]).reshape(-1, 3)
    assert manifest.moments["color"].mean == pytest.approx(colors.mean(0))
    assert manifest.moments["color"].std == pytest.approx(colors.std(0))
    for shard in manifest.shards:
        assert (shard.bytes, shard.sha256) == ((out / shard.file).stat().st_size, files.sha256(out / shard.file))
    assert read_manifest(convert(tmp_path, "other", rows=1) / "train").digest == manifest.digest


@pytest.mark.parametrize(
    ("member", "data", "message", "processes"),
    [
        ("b_png", encoded(np.full((6, 9), 21, np.uint8), "PNG"), r"b\.png has label 21 at row 0, column 0: .* 0–20", 2),
        ("b_png", encoded(np.eye(6, 9, -4, np.uint8) * 33, "PNG"), r"b\.png has label 33 at row 4, column 0", 1),
        ("b_png", encoded(np.zeros((9, 6), np.uint8), "PNG"), r"b\.jpg is 6×9 \(height×width\) but b is 9×6", 1),
        ("b_png", encoded(WHITE, "PNG"), r"b\.png has mode RGB, expected P or L", 1),
        ("b_jpg", encoded(np.zeros((6, 9), np.uint8), "JPEG"), r"b\.jpg has mode L, expected RGB", 1),
        ("b_jpg", encoded(WHITE, "JPEG")[:-40], r"b\.jpg of b does not decode", 1),
        ("b_jpg", b"<html>403</html>", r"b\.jpg of b does not decode", 2),
        ("b_png", encoded(NOISE, "PNG")[:60], r"b\.png of b does not decode", 1),
    ],
    ids=["value", "first pixel", "size", "color label", "grey photograph", "cut photograph", "web page", "cut label"],
)
def test_a_bad_sample_is_named_and_nothing_is_left(
    tmp_path: Path, member: str, data: bytes, message: str, processes: int
) -> None:
    pack(tmp_path / "raw", ["a", "b", "c"], **{member: data})
    with pytest.raises(Refusal, match=f"^voc: {message}"):
        convert(tmp_path, rows=1, processes=processes)
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_counts_are_checked_before_anything_is_written(tmp_path: Path) -> None:
    counts = pack(tmp_path / "raw", ["a", "b", "c"])
    refusals = {
        r"voc/train lists 3 ids, expected 1464: .* set datasets\.voc\.expect to train=3": ["train=1464", *counts[1:]],
        r"datasets\.voc\.expect counts train: count train, val, seg11valid": ["train=3"],
    }
    for message, expect in refusals.items():
        with pytest.raises(Refusal, match=message):
            convert(tmp_path, expect=expect)
    assert not (tmp_path / "out").exists()


def test_a_killed_conversion_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    pack(tmp_path / "raw", [f"{place:04d}" for place in range(400)])
    for end, before in ((signal.SIGKILL, {}), (signal.SIGINT, tree(convert(tmp_path, "old")))):
        running = elsewhere(tmp_path, f"convert(Path(), {'old' if before else 'out'!r}, rows=1)")
        while not [*tmp_path.glob(".o*.partial/train/*.parquet")]:
            assert running.poll() is None
            time.sleep(0.01)
        running.send_signal(end)
        running.communicate()
        assert tree(tmp_path / ("old" if before else "out")) == before, "what was there stays"
        assert not [*tmp_path.rglob(".o*.partial/*/_manifest.json")]
        shutil.rmtree(tmp_path / ".out.partial", ignore_errors=True)
    assert len(Shards(convert(tmp_path) / "train")) == 400
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "out", "old"}


@pytest.mark.filterwarnings("ignore")
def test_pandas_arrow_duckdb_and_hugging_face_read_a_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    pack(tmp_path / "raw", ["b", "a", "c"])
    folder = convert(tmp_path, rows=2) / "train"
    assert list(pd.read_parquet(folder)["id"]) == ["b", "a", "c"]
    assert ds.dataset(folder).to_table()["id"].to_pylist() == ["b", "a", "c"]
    assert len(pd.read_parquet(folder.parent)) == 6, "of three splits"
    query = f"select count(*), sum(height), count(distinct id) from '{folder}/*.parquet'"
    assert duckdb.sql(query).fetchall() == [(3, 18, 3)]
    shards = Shards(folder)
    for ask in ({"path": "parquet", "data_files": f"{folder}/*.parquet"}, {"path": str(folder)}):
        rows = datasets.load_dataset(**ask, split="train", cache_dir=str(tmp_path / "cache"))
        assert rows["id"][:] == ["b", "a", "c"]
        for row in range(3):
            assert np.array_equal(np.array(rows[row]["color"]), shards[row].images["color"])
            assert np.array_equal(np.array(rows[row]["semantic"]), shards[row].labels["semantic"])


@pytest.mark.skipif(not REAL.is_dir(), reason="no ../shared/real")
@pytest.mark.parametrize(
    ("name", "counts"),
    [("voc", ["train=120", "val=130", "seg11valid=100"]), ("sbd", ["train=350", "val=30", "validation=30"])],
)
def test_real_archives_convert(tmp_path: Path, name: str, counts: list[str]) -> None:
    writer.convert(name, partial(plugin, name), REAL, tmp_path / name, rows_per_shard=100, expect=counts, processes=2)
    for split, _, rows in (count.partition("=") for count in counts):
        shards = Shards(tmp_path / name / split)
        assert len(shards) == int(rows)
        assert (shards.manifest.pixels["semantic"]["void"] > 0) == (name == "voc")
        example = shards[int(rows) - 1]
        assert example.images["color"].shape == (*example.labels["semantic"].shape, 3)


def test_a_folder_without_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"has no _manifest\.json: run its convert stage"):
        schema.read_manifest(tmp_path)
    for text in ("{", "{}", "[]", '{"spec": 3}'):
        (tmp_path / schema.MANIFEST).write_text(text)
        with pytest.raises(Refusal, match=r"_manifest\.json is damaged"):
            schema.read_manifest(tmp_path)
