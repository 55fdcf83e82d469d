"""Any file that a user may send is decoded as one sees it, or refused by name."""

from __future__ import annotations

import contextlib
import io
import struct
import tarfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.core.types import DatasetSpec, Refusal
from pipeline.serving import picture
from pipeline.shards.reader import Shards
from tests.serving.world import photograph
from tests.split import written

REAL = Path("/work/shared/real")


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format=form, **options)
    return file.getvalue()


@pytest.mark.parametrize(("form", "options"), [("JPEG", {"quality": 80}), ("JPEG", {"progressive": True}), ("PNG", {})])
def test_an_rgb_file_gives_the_pixels_that_training_and_evaluation_see(
    tmp_path: Path, form: str, options: dict[str, object]
) -> None:
    content = encoded(Image.fromarray(photograph(37, 51)), form, **options)
    spec = DatasetSpec(name="x", images=("color",), labels={})
    row = {"id": "a", "height": 37, "width": 51, "color": {"bytes": content, "path": "a"}}
    evaluated = Shards(written(tmp_path / "val", spec, [row]))[0].images["color"]
    assert np.array_equal(picture.read(content, "a"), evaluated)
    (tmp_path / "a.bin").write_bytes(content)
    assert np.array_equal(picture.read(tmp_path / "a.bin", "a"), evaluated)


@pytest.mark.skipif(not (REAL / "VOCtrainval_11-May-2012.tar").exists(), reason="no real photographs here")
def test_real_photographs_give_those_pixels_too() -> None:
    with tarfile.open(REAL / "VOCtrainval_11-May-2012.tar") as tar:
        photographs = [member for member in tar if member.name.endswith(".jpg")][:20]
        for member in photographs:
            content = tar.extractfile(member).read()  # type: ignore[union-attr]
            with Image.open(io.BytesIO(content)) as image:
                assert np.array_equal(picture.read(content, member.name), np.array(image))


def test_grey_palette_bilevel_and_cmyk_become_the_colours_one_sees() -> None:
    grey = photograph(9, 7)[..., 0]
    assert np.array_equal(picture.read(encoded(Image.fromarray(grey), "PNG"), "g"), grey[..., None].repeat(3, 2))
    flat = Image.new("P", (3, 2), 1)
    flat.putpalette([9, 9, 9, 200, 100, 50])
    assert picture.read(encoded(flat, "PNG"), "p").tolist() == [[[200, 100, 50]] * 3] * 2
    assert picture.read(encoded(Image.new("1", (2, 1), 1), "PNG"), "b").tolist() == [[[255] * 3] * 2]
    press = Image.new("CMYK", (8, 8), (0, 255, 255, 0))  # red
    for form in ("JPEG", "TIFF"):
        assert np.abs(picture.read(encoded(press, form), "c").astype(int) - (255, 0, 0)).max() <= 2


def test_what_is_transparent_shows_white_and_what_is_opaque_its_own_pixels() -> None:
    pixels = np.dstack([photograph(6, 5), np.full((6, 5), 255, np.uint8)])
    assert np.array_equal(picture.read(encoded(Image.fromarray(pixels), "PNG"), "a"), pixels[..., :3])
    pixels[..., 3] = 0
    assert (picture.read(encoded(Image.fromarray(pixels), "PNG"), "a") == 255).all()
    half = Image.new("LA", (2, 2), (0, 127))
    assert picture.read(encoded(half, "PNG"), "a").tolist() == [[[128] * 3] * 2] * 2
    holes = Image.new("P", (2, 1), 0)
    holes.putpalette([10, 20, 30, 40, 50, 60])
    holes.putpixel((1, 0), 1)
    assert picture.read(encoded(holes, "PNG", transparency=0), "a").tolist() == [[[255] * 3, [40, 50, 60]]]


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_photograph_is_turned_as_its_exif_says(turn: int) -> None:
    upright = photograph(6, 10)
    undo = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = turn
    stored = Image.fromarray(np.ascontiguousarray(undo[turn](upright)))
    assert np.array_equal(picture.read(encoded(stored, "PNG", exif=exif), "a"), upright)


def test_of_16_bits_the_upper_8_are_seen() -> None:
    deep = (photograph(9, 7)[..., 0].astype(np.uint16) << 8) + 201
    want = (deep >> 8).astype(np.uint8)[..., None].repeat(3, 2)
    for form in ("PNG", "TIFF"):
        assert np.array_equal(picture.read(encoded(Image.fromarray(deep), form), "d"), want)
    rgb = (photograph(9, 7).astype(">u2") << 8) + 201
    assert np.array_equal(picture.read(png16(rgb), "d"), photograph(9, 7))


def png16(pixels: np.ndarray) -> bytes:
    """A PNG of 16 bits per channel, which Pillow reads but does not write."""
    height, width, _ = pixels.shape
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return png(struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0), zlib.compress(lines))


def png(header: bytes, data: bytes) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_the_first_frame_of_an_animation_is_seen() -> None:
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert picture.read(content, "a")[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF"])
def test_a_file_cut_anywhere_is_refused_by_name_or_was_whole(form: str) -> None:
    content = encoded(Image.fromarray(photograph(60, 80)), form)
    whole = picture.read(content, "a")
    refused = 0
    for end in range(0, len(content) - 1, max(1, len(content) // 60)):
        try:
            seen = picture.read(content[:end], "holiday")
        except Refusal as refusal:
            assert str(refusal).startswith("holiday ") and "\n" not in str(refusal)
            refused += 1
        else:
            assert np.array_equal(seen, whole)
    assert refused > 50


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_bytes_that_rotted_are_refused_or_decode_but_nothing_else_happens(form: str) -> None:
    content, random = encoded(Image.fromarray(photograph(40, 40)), form), np.random.default_rng(0)
    for _ in range(200):
        rotten = bytearray(content)
        for place in random.integers(0, len(content), 8):
            rotten[place] = random.integers(256)
        with contextlib.suppress(Refusal):
            assert picture.read(bytes(rotten), "a").dtype == np.uint8


def test_empty_foreign_missing_and_endless_files_are_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"^a is empty: fetch or export it again$"):
        picture.read(b"", "a")
    with pytest.raises(Refusal, match=r"^a is no picture of a known format: name another file"):
        picture.read(b"%PDF-1.7 ...", "a")
    with pytest.raises(Refusal, match=r"^a cannot be read \(No such file or directory\): name a picture file$"):
        picture.read(tmp_path / "a", "a")
    with pytest.raises(Refusal, match=r"^a cannot be read \(Is a directory\)"):
        picture.read(tmp_path, "a")
    bomb = png(struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0), zlib.compress(bytes(1000)))
    with pytest.raises(Refusal, match=r"^a has more than 178,956,970 pixels: cut it into pieces$"):
        picture.read(bomb, "a")
    floats = encoded(Image.fromarray(np.ones((3, 3), np.float32)), "TIFF")
    with pytest.raises(Refusal, match=r"^a has samples of mode F, whose range is unknown"):
        picture.read(floats, "a")


def test_a_large_picture_within_the_limit_raises_no_warning() -> None:
    """Pillow warns from 89 million pixels on, and warnings are errors here."""
    assert picture.read(encoded(Image.new("L", (9500, 9500)), "PNG"), "a").shape == (9500, 9500, 3)


def test_a_depth_is_millimetres_as_they_are_stored() -> None:
    depth = np.array([[700, 9000], [1, 65535]], np.uint16)
    read = picture.read(encoded(Image.fromarray(depth), "PNG"), "d", "depth")
    assert read.dtype == np.uint16 and np.array_equal(read, depth)
    with pytest.raises(Refusal, match=r"^d has mode L, but a depth is 16-bit grey"):
        picture.read(encoded(Image.new("L", (2, 2), 9), "PNG"), "d", "depth")
    with pytest.raises(Refusal, match=r"^d has pixels of depth 0, which is no measurement: fill them in$"):
        picture.read(encoded(Image.fromarray(depth * np.uint16(0)), "PNG"), "d", "depth")
