"""Shards give the same example to every thread and process, and refuse bytes the manifest does not know."""

from __future__ import annotations

import io
import multiprocessing
import operator
import pickle
import tarfile
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.convert import writer
from pipeline.convert.dataset import plugin
from pipeline.core.types import Refusal
from pipeline.shards.reader import Example, Shards

ROWS = 40
VOC = partial(plugin, "voc")


def shards(tmp_path: Path) -> Path:
    """VOC's val with rows 0–39 of size (8 + row) × 16, label ``row % 21``; three shards. Returns the split's folder."""
    raw = tmp_path / "raw"
    raw.mkdir()
    names = [f"{row:02d}" for row in range(ROWS)]
    (raw / "seg11valid.txt").write_text("07\n")
    with tarfile.open(raw / "VOCtrainval_11-May-2012.tar", "w") as tar:

        def add(name: str, data: bytes) -> None:
            info = tarfile.TarInfo(f"VOCdevkit/VOC2012/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))

        add("ImageSets/Segmentation/train.txt", b"00\n")
        add("ImageSets/Segmentation/val.txt", "\n".join(names).encode())
        for row, name in enumerate(names):
            for image, member, kind in (
                (Image.new("RGB", (16, 8 + row), (row, 0, 255 - row)), f"JPEGImages/{name}.jpg", "JPEG"),
                (Image.new("L", (16, 8 + row), row % 21), f"SegmentationClass/{name}.png", "PNG"),
            ):
                file = io.BytesIO()
                image.save(file, kind)
                add(member, file.getvalue())
    expect = ["train=1", f"val={ROWS}", "seg11valid=1"]
    writer.convert("voc", VOC, raw, tmp_path / "out", rows_per_shard=18, expect=expect, processes=1)
    return tmp_path / "out/val"


def is_row(example: Example, row: int) -> bool:
    image, label = example.images["color"], example.labels["semantic"]
    return (
        example.id == f"{row:02d}"
        and image.shape == (8 + row, 16, 3)
        and image.dtype == label.dtype == np.uint8
        and abs(int(image[0, 0, 0]) - row) < 4
        and label.shape == (8 + row, 16)
        and bool((label == row % 21).all())
    )


def test_every_row_is_where_the_list_put_it(tmp_path: Path) -> None:
    rows = Shards(shards(tmp_path), groups=1)
    assert len(rows) == ROWS == len(rows.manifest.ids)
    assert all(is_row(rows[row], row) for row in (*range(ROWS), *reversed(range(ROWS))))
    assert rows[3].images["color"].flags.writeable
    assert rows[3].labels["semantic"].flags.writeable
    for outside in (-1, ROWS):
        with pytest.raises(IndexError):
            rows[outside]


def test_iterating_ends(tmp_path: Path) -> None:
    assert [example.id for example in Shards(shards(tmp_path))] == [f"{row:02d}" for row in range(ROWS)]


def test_threads_share_it(tmp_path: Path) -> None:
    rows = Shards(shards(tmp_path), groups=2)
    order = [row * 7 % ROWS for row in range(4 * ROWS)]
    with ThreadPoolExecutor(8) as pool:
        assert all(map(is_row, pool.map(rows.__getitem__, order), order))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_open_their_own_files(tmp_path: Path, method: str) -> None:
    rows = Shards(shards(tmp_path))
    assert is_row(rows[5], 5)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
        got = list(pool.map(operator.getitem, [rows] * 6, range(17, 23)))
    assert all(map(is_row, got, range(17, 23)))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_while_the_parent_reads_does_not_hang(tmp_path: Path) -> None:
    rows = Shards(shards(tmp_path))
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    with rows._open.lock:
        child = context.Process(target=lambda: answers.put(is_row(rows[20], 20)))
        child.start()
        child.join(20)
    assert child.exitcode == 0
    assert answers.get()


def test_pickles_as_its_folder(tmp_path: Path) -> None:
    rows = Shards(shards(tmp_path), verify=False)
    rows[0]
    frozen = pickle.dumps(rows)
    assert len(frozen) < 1000
    assert is_row(pickle.loads(frozen)[39], 39)


def test_no_manifest_no_split(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"has no manifest\.json: run its convert stage"):
        Shards(tmp_path)


def test_a_shard_of_another_size_is_refused_at_once(tmp_path: Path) -> None:
    folder = shards(tmp_path)
    path = folder / "part-00001-of-00003.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Refusal, match=r"part-00001-of-00003\.parquet has \d+ bytes, its manifest says \d+"):
        Shards(folder)
    path.unlink()
    with pytest.raises(Refusal, match=r"part-00001-of-00003\.parquet is missing"):
        Shards(folder)


def test_a_flipped_byte_is_refused_when_its_shard_is_opened(tmp_path: Path) -> None:
    folder = shards(tmp_path)
    path = folder / "part-00001-of-00003.parquet"
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    rows = Shards(folder)
    assert is_row(rows[17], 17)
    for _ in range(2):
        with pytest.raises(
            Refusal, match=r"part-00001-of-00003\.parquet is damaged: sha256 [0-9a-f]{64}, its manifest"
        ):
            rows[18]
    assert len(Shards(folder, verify=False)) == ROWS
