"""Shards give the same example to every thread and process, and refuse bytes the manifest does not know."""

from __future__ import annotations

import multiprocessing
import operator
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.types import Refusal
from pipeline.shards.reader import Example, Shards
from tests.shards.world import convert, encoded, pack

ROWS = 40
SECOND = "part-00001-of-00003.parquet"


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """VOC's train with rows 0–39 of size (8 + row) × 16, label ``row % 21``; three shards."""
    home = tmp_path_factory.mktemp("voc")
    replaced = {}
    for row in range(ROWS):
        replaced[f"{row:02d}_jpg"] = encoded(np.full((8 + row, 16, 3), (row, 0, 255 - row), np.uint8), "JPEG")
        replaced[f"{row:02d}_png"] = encoded(np.full((8 + row, 16), row % 21, np.uint8), "PNG")
    pack(home / "raw", [f"{row:02d}" for row in range(ROWS)], **replaced)
    return convert(home, rows=18) / "train"


@pytest.fixture
def spoilt(converted: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    for path in converted.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


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


def test_every_row_is_where_the_list_put_it(converted: Path) -> None:
    rows = Shards(converted, groups=1)
    assert len(rows) == ROWS == len(rows.manifest.ids)
    assert all(is_row(rows[row], row) for row in reversed(range(ROWS)))
    assert [example.id for example in rows] == [f"{row:02d}" for row in range(ROWS)]
    assert rows[3].images["color"].flags.writeable and rows[3].labels["semantic"].flags.writeable
    for outside in (-1, ROWS):
        with pytest.raises(IndexError):
            rows[outside]


def test_only_the_columns_asked_for_are_read(converted: Path) -> None:
    example = Shards(converted, columns={"semantic"})[0]
    assert (list(example.images), list(example.labels)) == ([], ["semantic"])
    with pytest.raises(Refusal, match="has no column 'depth': it has color, semantic"):
        Shards(converted, columns={"depth"})


def test_threads_share_it(converted: Path) -> None:
    rows = Shards(converted, groups=2)
    order = [row * 7 % ROWS for row in range(4 * ROWS)]
    with ThreadPoolExecutor(8) as pool:
        assert all(map(is_row, pool.map(rows.__getitem__, order), order))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_open_their_own_files(converted: Path, method: str) -> None:
    rows = Shards(converted)
    assert is_row(rows[5], 5)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
        got = list(pool.map(operator.getitem, [rows] * 6, range(17, 23)))
    assert all(map(is_row, got, range(17, 23)))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_while_the_parent_reads_does_not_hang(converted: Path) -> None:
    rows = Shards(converted)
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    with rows._open.lock:
        child = context.Process(target=lambda: answers.put(is_row(rows[20], 20)))
        child.start()
        child.join(20)
    assert child.exitcode == 0
    assert answers.get()


def test_pickles_as_its_folder(converted: Path) -> None:
    rows = Shards(converted, columns={"color", "semantic"}, verify=False)
    rows[0]
    frozen = pickle.dumps(rows)
    assert len(frozen) < 1000
    assert is_row(pickle.loads(frozen)[39], 39)


def test_a_shard_of_another_size_is_refused_at_once(spoilt: Path) -> None:
    path = spoilt / SECOND
    path.write_bytes(path.read_bytes()[:-1])
    told = rf"{SECOND} is missing or has not the \d+ bytes that its manifest says: run its convert stage again"
    with pytest.raises(Refusal, match=told):
        Shards(spoilt)
    path.unlink()
    with pytest.raises(Refusal, match=told):
        Shards(spoilt)


def test_a_flipped_byte_is_refused_when_its_shard_is_opened(spoilt: Path) -> None:
    whole = bytearray((spoilt / SECOND).read_bytes())
    whole[len(whole) // 2] ^= 1
    (spoilt / SECOND).write_bytes(whole)
    rows = Shards(spoilt)
    assert is_row(rows[17], 17)
    for _ in range(2):
        with pytest.raises(Refusal, match=rf"{SECOND} is damaged: sha256 [0-9a-f]{{64}}, its manifest"):
            rows[18]
    assert len(Shards(spoilt, verify=False)) == ROWS
