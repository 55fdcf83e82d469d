"""Shards give the same example to every thread and process, and refuse bytes the manifest does not know."""

import io
import multiprocessing
import operator
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from pipeline.core.types import Refusal
from pipeline.shards import reader
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
    rows = Shards(converted, columns={"color", "semantic"}, verify=False)
    assert is_row(rows[5], 5) and len(pickle.dumps(rows)) < 1000
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


def photograph(height: int, width: int) -> np.ndarray:
    """Smooth and grainy, so that neither upsampling nor rounding goes unseen."""
    rows, columns = np.mgrid[:height, :width]
    smooth = np.stack([rows * 3 % 256, columns * 2 % 256, (rows + columns) % 256], axis=-1)
    grain = np.random.default_rng(height).integers(-20, 20, smooth.shape)
    return np.clip(smooth + grain, 0, 255).astype(np.uint8)


def pillows(file: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(file)) as image:
        return np.array(image)


@pytest.mark.parametrize("options", [{"subsampling": 2}, {"subsampling": 0}, {"progressive": True}, {"quality": 20}])
@pytest.mark.parametrize(("height", "width"), [(37, 50), (1, 9), (64, 63)])
def test_a_jpeg_has_pillows_pixels_without_pillow(
    height: int, width: int, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = encoded(photograph(height, width), "JPEG", **options)
    want = pillows(file)
    with monkeypatch.context() as without:
        without.setattr(Image, "open", None)
        found = reader.decode_image(pa.py_buffer(file), "RGB")
    monkeypatch.setattr(reader, "decode_jpeg", None)  # as where it is not installed
    assert np.array_equal(found, want) and np.array_equal(reader.decode_image(pa.py_buffer(file), "RGB"), want)
    assert found.dtype == np.uint8 and found.flags.writeable and found.flags.c_contiguous


def test_pillow_has_the_last_word_on_what_the_faster_library_warns_of() -> None:
    file = encoded(photograph(37, 50), "JPEG")
    end = 4 + int.from_bytes(file[4:6], "big")  # of the first segment
    strange = file[:end] + b"\0\0\0" + file[end:]  # libjpeg: extraneous bytes before a marker
    with pytest.raises(ValueError, match="xtraneous"):
        reader.decode_jpeg(strange, "RGB")
    assert np.array_equal(reader.decode_image(pa.py_buffer(strange), "RGB"), pillows(strange))
    with pytest.raises(OSError, match="truncated"):
        reader.decode_image(pa.py_buffer(file[: len(file) * 3 // 4]), "RGB")


@pytest.mark.parametrize(("mode", "kind"), [("RGB", "PNG"), ("L", "PNG"), ("L", "JPEG"), ("I;16", "PNG")])
def test_everything_else_is_pillows(mode: str, kind: str) -> None:
    pixels = photograph(20, 30) if mode == "RGB" else photograph(20, 30)[..., 0]
    file = encoded(257 * pixels.astype(np.uint16) if mode == "I;16" else pixels, kind)
    found = reader.decode_image(pa.py_buffer(file), mode)
    assert np.array_equal(found, pillows(file))
    assert found.dtype == (np.uint16 if mode == "I;16" else np.uint8)
