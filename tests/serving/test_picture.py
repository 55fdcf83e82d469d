"""Any file that a user may send is decoded as one sees it, or refused by name; its labels are painted to be seen."""

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.core.types import DatasetSpec, LabelSpec, Refusal
from pipeline.serving import label as paint
from pipeline.serving import picture
from pipeline.shards.reader import Shards
from tests.closure import ROOT
from tests.datasets.world import raw_png
from tests.serving.world import labels, photograph
from tests.split import written


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format=form, **options)
    return file.getvalue()


@pytest.mark.parametrize(("form", "options"), [("JPEG", {"quality": 80}), ("JPEG", {"progressive": True}), ("PNG", {})])
def test_an_rgb_file_gives_the_pixels_that_training_sees(tmp_path: Path, form: str, options: dict[str, object]) -> None:
    content = encoded(Image.fromarray(photograph(37, 51)), form, **options)
    spec = DatasetSpec(name="x", images=("color",), labels={})
    row = {"id": "a", "height": 37, "width": 51, "color": {"bytes": content, "path": "a"}}
    evaluated = Shards(written(tmp_path / "val", spec, [row]))[0].images["color"]
    assert np.array_equal(picture.read(content, "a"), evaluated)
    (tmp_path / "a.bin").write_bytes(content)
    assert np.array_equal(picture.read(tmp_path / "a.bin", "a"), evaluated)


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
    stored = upright.swapaxes(0, 1) if turn > 4 else upright
    stored = stored[:: -1 if turn in (3, 4, 6, 7) else 1, :: -1 if turn in (2, 3, 7, 8) else 1]
    exif = Image.Exif()
    exif[0x0112] = turn
    content = encoded(Image.fromarray(np.ascontiguousarray(stored)), "PNG", exif=exif)
    assert np.array_equal(picture.read(content, "a"), upright)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_of_16_bits_the_upper_8_of_those_in_use_are_seen(bits: int) -> None:
    grey = photograph(90, 70)[..., 0]
    assert grey.max() > 127
    deep = (grey.astype(np.uint16) << bits - 8) + ((1 << bits - 8) - 1)
    for form in ("PNG", "TIFF"):
        seen = picture.read(encoded(Image.fromarray(deep), form), "d")
        assert np.array_equal(seen, grey[..., None].repeat(3, 2))
    night = np.full((160, 16, 3), 9, np.uint8)
    assert np.array_equal(picture.read(encoded(Image.fromarray(night), "PNG"), "d"), night), "8 bits are as they are"
    rgb = ((photograph(90, 70).astype(np.uint16) << bits - 8) + 1).astype(">u2")
    content = raw_png(70, 90, 16, 2, b"".join(b"\0" + line.tobytes() for line in rgb))
    if bits > 12:
        assert np.array_equal(picture.read(content, "d"), rgb >> 8)
    else:
        with pytest.raises(Refusal, match=r"^d uses 12 bits or fewer of its 16, and would be black"):
            picture.read(content, "d")


def test_pictures_are_found_by_every_name_they_go_by_and_what_is_passed_over_is_named(tmp_path: Path) -> None:
    taken = [
        "a.jpg",
        "b.JPG",
        "c.jfif",
        "d.jpe",
        "e.Jpeg",
        "f.dib",
        "g.pgm",
        "h.apng",
        "deep/i.TIFF",
        "j.avif",
        "k.jp2",
    ]
    passed = [".hidden.jpg", ".git/x.png", "notes.txt", "raw.heic", "README", "scan.pdf"]
    for name in [*taken, *passed, "out/a.png"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found, others = paint.find([tmp_path], tmp_path / "out")
    assert sorted(found.values()) == sorted(tmp_path / name for name in taken)
    assert sorted(others) == sorted(tmp_path / name for name in passed)
    assert paint.find([tmp_path / "README"], tmp_path / "out") == ({"README": tmp_path / "README"}, []), "as named"


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
        rotten = np.frombuffer(content, np.uint8).copy()
        rotten[random.integers(0, len(content), 8)] = random.integers(256, size=8)
        with contextlib.suppress(Refusal):
            assert picture.read(rotten.tobytes(), "a").dtype == np.uint8


def test_what_is_no_picture_is_refused_with_a_remedy_and_a_large_one_raises_no_warning(tmp_path: Path) -> None:
    """Pillow warns from 89 million pixels on, and warnings are errors here."""
    large = encoded(Image.new("L", (9500, 9500)), "PNG")
    assert picture.read(large, "a").shape == (9500, 9500, 3)
    (tmp_path / "large.png").write_bytes(large)
    stage = "import pyarrow as pa; from pipeline.shards.reader import decode_label as read\n"
    stage += "with pa.OSFile('large.png') as file: read(file.read_buffer())"
    command, env = [sys.executable, "-W", "error", "-c", stage], {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, check=True).stderr == b""
    bomb = raw_png(30000, 30000, 8, 2, bytes(1000))
    floats = encoded(Image.fromarray(np.ones((3, 3), np.float32)), "TIFF")
    for source, reason in (
        (b"", r"a is empty: fetch or export it again$"),
        (b"%PDF-1.7 ...", r"a is no picture of a known format: name another file"),
        (tmp_path / "a", r"a cannot be read \(No such file or directory\): name a picture file$"),
        (tmp_path, r"a cannot be read \(Is a directory\)"),
        (bomb, r"a has more than 178,956,970 pixels: cut it into pieces$"),
        (floats, r"a has samples of mode F, whose range is unknown"),
    ):
        with pytest.raises(Refusal, match=f"^{reason}"):
            picture.read(source, "a")


def test_a_depth_is_millimetres_as_they_are_stored() -> None:
    depth = np.array([[700, 9000], [1, 65535]], np.uint16)
    read = picture.read(encoded(Image.fromarray(depth), "PNG"), "d", "depth")
    assert read.dtype == np.uint16 and np.array_equal(read, depth)
    with pytest.raises(Refusal, match=r"^d has mode L, but a depth is 16-bit grey"):
        picture.read(encoded(Image.new("L", (2, 2), 9), "PNG"), "d", "depth")
    with pytest.raises(Refusal, match=r"^d has pixels of depth 0, which is no measurement: fill them in$"):
        picture.read(encoded(Image.fromarray(depth * np.uint16(0)), "PNG"), "d", "depth")


@pytest.mark.parametrize("classes", [2, 21, 256])
def test_a_png_holds_the_indices_and_shows_the_colours(classes: int) -> None:
    spec = labels(classes)
    label = np.random.default_rng(0).integers(0, classes, (30, 41), np.uint8)
    with Image.open(io.BytesIO(paint.png(label, spec))) as image:
        assert image.mode == "P"
        assert np.array_equal(np.array(image), label)
        assert np.array_equal(np.array(image.convert("RGB")), np.array(spec.palette, np.uint8)[label])


def test_an_overlay_leaves_background_and_marks_edges_and_tints_the_rest() -> None:
    picture, label = photograph(400, 330), np.zeros((400, 330), np.uint8)
    label[:, 200:] = 1
    drawn = paint.overlay(picture, label, labels(5))
    assert drawn.shape[0] == 400 and drawn.shape[1] > 330
    assert np.array_equal(drawn[:, :199], picture[:, :199])
    assert (drawn[:, 199] == 255).all()
    tint = picture[:, 200:330] * 0.4 + np.array(labels(5).palette[1]) * 0.6
    assert np.abs(drawn[:, 200:330] - tint).max() <= 1


def test_a_legend_has_a_row_for_each_class_in_letters_that_the_font_has() -> None:
    label = np.arange(33, dtype=np.uint8).repeat(320)[None].repeat(40, 0)
    assert paint.overlay(np.zeros((40, 33 * 320, 3), np.uint8), label, labels(33)).shape[0] == 33 * 26 + 24
    picture, label = np.zeros((320, 320, 3), np.uint8), np.zeros((320, 320), np.uint8)
    drawn = [paint.overlay(picture, label, LabelSpec(classes=(name,), palette=((0, 0, 0),))) for name in "é□ß×ü"]
    assert len({sheet.tobytes() for sheet in drawn}) == 5, "none of them is a box"
    drawn = paint.overlay(np.full((64, 128, 3), 90, np.uint8), np.zeros((64, 128), np.uint8), labels(3))
    assert drawn.shape[0] == 192 and (drawn[:, :384] == 90).all(), "a small one is enlarged by a whole factor"
