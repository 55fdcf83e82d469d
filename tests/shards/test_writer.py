"""Conversion gives the same bytes for any number of processes, keeps the originals', and writes all or nothing."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipeline.convert import write_shard, writer
from pipeline.convert.dataset import plugin
from pipeline.core import files
from pipeline.core.types import Refusal
from pipeline.datasets import voc
from pipeline.shards.reader import Shards
from pipeline.shards.schema import read_manifest

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared/real"
VOC = partial(plugin, "voc")
real = pytest.mark.skipif(not REAL.is_dir(), reason="no ../shared/real")


def encoded(pixels: np.ndarray, kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def pack(raw: Path, train: Sequence[str], **replaced: bytes) -> list[str]:
    """A VOC tar whose ids are ``train``, the last two also val; ``replaced`` swaps a member. Returns the counts."""
    raw.mkdir(exist_ok=True)
    random = np.random.default_rng(7)
    (raw / "seg11valid.txt").write_text(f"{train[-1]}\n")
    with tarfile.open(raw / "VOCtrainval_11-May-2012.tar", "w") as tar:

        def add(name: str, data: bytes) -> None:
            info = tarfile.TarInfo(f"VOCdevkit/VOC2012/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))

        for split, ids in (("train", train), ("val", train[-2:])):
            add(f"ImageSets/Segmentation/{split}.txt", "".join(f"{name}\n" for name in ids).encode())
        for name in sorted(train):
            image = random.integers(0, 256, (6, 9, 3), np.uint8)
            label = random.choice(np.array([0, 3, 20, 255], np.uint8), (6, 9))
            add(f"JPEGImages/{name}.jpg", replaced.get(f"{name}_jpg", encoded(image, "JPEG")))
            add(f"SegmentationClass/{name}.png", replaced.get(f"{name}_png", encoded(label, "PNG")))
    return [f"train={len(train)}", "val=2", "seg11valid=1"]


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_bytes_do_not_depend_on_processes_or_run(tmp_path: Path) -> None:
    counts = pack(tmp_path / "raw", [f"{place * 13 % 37:02d}" for place in range(37)])
    for processes in (1, 2, 4):
        out = tmp_path / f"out{processes}"
        writer.convert("voc", VOC, tmp_path / "raw", out, rows_per_shard=20, expect=counts, processes=processes)
    code = (
        "from functools import partial; from pathlib import Path; from pipeline.shards import dataset, writer; "
        f"writer.convert('voc', partial(dataset.plugin, 'voc'), Path('raw'), Path('again'), "
        f"rows_per_shard=20, expect={counts}, processes=1)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, check=True)
    first = tree(tmp_path / "out1")
    assert tree(tmp_path / "out2") == tree(tmp_path / "out4") == tree(tmp_path / "again") == first
    assert sorted(name for name in first if name.startswith("train/")) == [
        "train/manifest.json",
        "train/part-00000-of-00002.parquet",
        "train/part-00001-of-00002.parquet",
    ]


@pytest.mark.skipif(find_spec("ray") is None, reason="the extra [ray] is not installed")
def test_ray_writes_the_bytes_that_processes_write_and_refuses_alike(tmp_path: Path) -> None:
    """In a process of its own, for Ray keeps threads and a key in HOME."""
    names = [f"{place * 13 % 37:02d}" for place in range(37)]
    counts = pack(tmp_path / "raw", names)
    pack(tmp_path / "bad", names, **{"05_png": encoded(np.full((6, 9), 21, np.uint8), "PNG")})
    for processes in (1, 2):
        out = tmp_path / f"out{processes}"
        writer.convert("voc", VOC, tmp_path / "raw", out, rows_per_shard=10, expect=counts, processes=processes)
    code = f"""
from functools import partial; from pathlib import Path
from pipeline.shards import dataset, writer; from pipeline.core.types import Refusal
for raw in ("raw", "bad"):
    try:
        writer.convert("voc", partial(dataset.plugin, "voc"), Path(raw), Path(raw + "-ray"), rows_per_shard=10,
                       expect={counts}, processes=1, engine="ray")
    except Refusal as refusal:
        print(raw, refusal)
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "HOME": str(tmp_path / "home")}
    environment["RAY_ADDRESS"] = "local"  # whatever cluster runs here
    (tmp_path / "home").mkdir()
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    assert tree(tmp_path / "raw-ray") == tree(tmp_path / "out2") == tree(tmp_path / "out1")
    assert "bad voc: 05.png has label 21 at row 0, column 0: " in ran.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"bad", "home", "out1", "out2", "raw", "raw-ray"}


def test_an_engine_that_is_unknown_or_absent_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as where it is not installed
    pack(tmp_path / "raw", ["a", "b"])
    refusals = {
        "ray": r"convert\.engine is ray, which is not installed: pip install 'fcn-pipeline\[ray\]'",
        "spark": r"convert\.engine is 'spark': it is pool or ray",
    }
    for engine, message in refusals.items():
        with pytest.raises(Refusal, match=message):
            writer.convert(
                "voc",
                VOC,
                tmp_path / "raw",
                tmp_path / "out",
                rows_per_shard=9,
                expect=None,
                processes=1,
                engine=engine,
            )
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_rows_hold_the_original_bytes_in_list_order(tmp_path: Path) -> None:
    names = ["c", "a", "b"]
    counts = pack(tmp_path / "raw", names)
    writer.convert(
        "voc",
        VOC,
        tmp_path / "raw",
        tmp_path / "out",
        rows_per_shard=500,
        expect=counts,
        processes=1,
    )
    originals = dict(voc.read(tmp_path / "raw", names))
    rows = pq.read_table(tmp_path / "out/train/part-00000-of-00001.parquet").to_pylist()
    assert [row["id"] for row in rows] == names
    for row in rows:
        assert row["color"] == {"bytes": originals[row["id"]]["color"], "path": f"{row['id']}.jpg"}
        assert row["semantic"] == {"bytes": originals[row["id"]]["semantic"], "path": f"{row['id']}.png"}
        assert (row["height"], row["width"]) == (6, 9)


def test_files_are_plain_parquet_with_small_row_groups(tmp_path: Path) -> None:
    counts = pack(tmp_path / "raw", [f"{place:02d}" for place in range(40)])
    writer.convert("voc", VOC, tmp_path / "raw", tmp_path / "out", rows_per_shard=40, expect=counts, processes=1)
    metadata = pq.ParquetFile(tmp_path / "out/train/part-00000-of-00001.parquet").metadata
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [16, 16, 8]
    columns = [metadata.row_group(0).column(place) for place in range(metadata.num_columns)]
    assert {column.compression for column in columns} == {"UNCOMPRESSED"}
    assert not any(column.has_dictionary_page for column in columns)
    assert [column.path_in_schema for column in columns if column.is_stats_set] == ["id", "height", "width"]


def test_manifest_tells_what_the_rows_hold(tmp_path: Path) -> None:
    counts = pack(tmp_path / "raw", ["x", "z", "y"])
    writer.convert("voc", VOC, tmp_path / "raw", tmp_path / "out", rows_per_shard=2, expect=counts, processes=1)
    shards = Shards(tmp_path / "out/train")
    manifest = shards.manifest
    assert manifest.spec == voc.SPEC
    assert (manifest.split, manifest.ids) == ("train", ("x", "z", "y"))
    assert manifest.ids_sha256 == hashlib.sha256(b"x\nz\ny\n").hexdigest()
    labels = np.stack([shards[row].labels["semantic"] for row in range(3)])
    pixels = manifest.pixels["semantic"]
    assert pixels["void"] == (labels == 255).sum() > 0
    assert pixels["tvmonitor"] == (labels == 20).sum() > 0
    assert sum(pixels.values()) == labels.size
    for shard in manifest.shards:
        path = tmp_path / "out/train" / shard.file
        assert (shard.bytes, shard.sha256) == (path.stat().st_size, files.sha256(path))
    writer.convert(
        "voc",
        VOC,
        tmp_path / "raw",
        tmp_path / "other",
        rows_per_shard=1,
        expect=counts,
        processes=1,
    )
    assert read_manifest(tmp_path / "other/train").digest == manifest.digest


def test_a_stream_is_read_in_waves_when_memory_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = pack(tmp_path / "raw", [f"{place:02d}" for place in range(9)])
    for held, out in ((6144, "one"), (4, "many")):
        monkeypatch.setattr(write_shard, "HELD", held)
        writer.convert(
            "voc",
            VOC,
            tmp_path / "raw",
            tmp_path / out,
            rows_per_shard=2,
            expect=counts,
            processes=1,
        )
    assert tree(tmp_path / "one") == tree(tmp_path / "many")


@pytest.mark.parametrize(
    ("member", "data", "message"),
    [
        ("b_png", encoded(np.full((6, 9), 21, np.uint8), "PNG"), r"b\.png has label 21 at row 0, column 0: .* 0–20"),
        ("b_png", encoded(np.zeros((9, 6), np.uint8), "PNG"), r"b\.jpg is 6×9 \(height×width\) but b is 9×6"),
        ("b_png", encoded(np.zeros((6, 9, 3), np.uint8), "PNG"), r"b\.png has mode RGB, expected P or L"),
        ("b_jpg", encoded(np.zeros((6, 9), np.uint8), "JPEG"), r"b\.jpg has mode L, expected RGB"),
        ("b_jpg", encoded(np.zeros((6, 9, 3), np.uint8), "JPEG")[:-40], r"b\.jpg of b does not decode"),
        ("b_jpg", b"<html>403</html>", r"b\.jpg of b does not decode"),
        (
            "b_png",
            encoded(np.random.default_rng(0).integers(0, 21, (6, 9), np.uint8), "PNG")[:60],
            r"b\.png of b does not decode",
        ),
    ],
    ids=["value", "size", "color label", "grey photograph", "cut photograph", "web page", "cut label"],
)
@pytest.mark.parametrize("processes", [1, 2])
def test_a_bad_sample_is_named_and_nothing_is_left(
    tmp_path: Path, member: str, data: bytes, message: str, processes: int
) -> None:
    counts = pack(tmp_path / "raw", ["a", "b", "c"], **{member: data})
    with pytest.raises(Refusal, match=f"^voc: {message}"):
        writer.convert(
            "voc",
            VOC,
            tmp_path / "raw",
            tmp_path / "out",
            rows_per_shard=1,
            expect=counts,
            processes=processes,
        )
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_the_first_bad_pixel_is_located(tmp_path: Path) -> None:
    label = np.zeros((6, 9), np.uint8)
    label[4, 7], label[5, 0] = 254, 33
    counts = pack(tmp_path / "raw", ["a", "b"], a_png=encoded(label, "PNG"))
    with pytest.raises(Refusal, match=r"a\.png has label 254 at row 4, column 7"):
        writer.convert(
            "voc",
            VOC,
            tmp_path / "raw",
            tmp_path / "out",
            rows_per_shard=9,
            expect=counts,
            processes=1,
        )


def test_counts_are_checked_before_anything_is_written(tmp_path: Path) -> None:
    counts = pack(tmp_path / "raw", ["a", "b", "c"])
    refusals = {
        r"voc/train lists 3 ids, expected 1464: .* set datasets\.voc\.expect to train=3": ["train=1464", *counts[1:]],
        r"datasets\.voc\.expect counts train: count train, val, seg11valid": ["train=3"],
    }
    for message, expect in refusals.items():
        with pytest.raises(Refusal, match=message):
            writer.convert(
                "voc",
                VOC,
                tmp_path / "raw",
                tmp_path / "out",
                rows_per_shard=9,
                expect=expect,
                processes=1,
            )
    assert not (tmp_path / "out").exists()


def test_an_interruption_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = pack(tmp_path / "raw", ["a", "b", "c"])
    writer.convert("voc", VOC, tmp_path / "raw", tmp_path / "out", rows_per_shard=1, expect=counts, processes=1)
    before = tree(tmp_path)

    def interrupted(path: Path) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "sha256", interrupted)
    for out in ("out", "new"):
        with pytest.raises(KeyboardInterrupt):
            writer.convert(
                "voc",
                VOC,
                tmp_path / "raw",
                tmp_path / out,
                rows_per_shard=1,
                expect=counts,
                processes=1,
            )
    assert tree(tmp_path) == before


def test_duckdb_counts_rows(tmp_path: Path) -> None:
    counts = pack(tmp_path / "raw", [f"{place:02d}" for place in range(20)])
    writer.convert("voc", VOC, tmp_path / "raw", tmp_path / "out", rows_per_shard=8, expect=counts, processes=1)
    query = f"select count(*), sum(height), count(distinct id) from '{tmp_path}/out/train/*.parquet'"
    assert duckdb.sql(query).fetchall() == [(20, 120, 20)]


@pytest.mark.filterwarnings("ignore")
def test_hugging_face_decodes_both_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    counts = pack(tmp_path / "raw", ["b", "a", "c"])
    writer.convert("voc", VOC, tmp_path / "raw", tmp_path / "out", rows_per_shard=2, expect=counts, processes=1)
    folder, shards = tmp_path / "out/train", Shards(tmp_path / "out/train")
    for ask in (
        {"path": "parquet", "data_files": f"{folder}/*.parquet"},
        {"path": "parquet", "data_dir": str(folder), "on_bad_files": "skip"},  # passes over manifest.json
        {"path": str(folder)},
    ):
        rows = datasets.load_dataset(**ask, split="train", cache_dir=str(tmp_path / "cache"))
        assert rows["id"][:] == ["b", "a", "c"]
        for row in range(3):
            assert np.array_equal(np.array(rows[row]["color"]), shards[row].images["color"])
            assert np.array_equal(np.array(rows[row]["semantic"]), shards[row].labels["semantic"])


@real
@pytest.mark.parametrize(
    ("name", "counts"), [("voc", ["train=120", "val=130", "seg11valid=100"]), ("sbd", ["train=350", "val=30"])]
)
def test_real_archives_convert(tmp_path: Path, name: str, counts: list[str]) -> None:
    writer.convert(name, partial(plugin, name), REAL, tmp_path / name, rows_per_shard=100, expect=counts, processes=2)
    for split, _, rows in (count.partition("=") for count in counts):
        shards = Shards(tmp_path / name / split)
        assert len(shards) == int(rows)
        assert (shards.manifest.pixels["semantic"]["void"] > 0) == (name == "voc")
        example = shards[int(rows) - 1]
        assert example.images["color"].shape == (*example.labels["semantic"].shape, 3)
