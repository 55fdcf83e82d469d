"""A user's images and labels are stored alike whatever their encoding, or refused by file and pixel."""

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.core.types import Encoded, Refusal
from pipeline.datasets.own import folder
from tests.datasets.world import COLORS, SCENE, encoded, lay, pixels, put, raw_png, row


def palette_image(indices: np.ndarray, colors: np.ndarray) -> Image.Image:
    image = Image.fromarray(indices)
    image.putpalette(colors.tobytes())
    return image


def sample(root: Path, fields: Mapping[str, Any], image: str = "images/a.png", label: str = "labels/a.png") -> Any:
    parts = {"color": encoded(root / image), "semantic": encoded(root / label)}
    return folder.parse("leaves", fields).sample("a", parts)


def refused(root: Path, told: str, fields: Mapping[str, Any] | None = None, **files: str) -> None:
    """``sample`` refuses in one line."""
    with pytest.raises(Refusal, match=told):
        sample(root, fields or row(root), **files)


def test_three_encodings_of_one_scene_give_the_same_stored_label(tmp_path: Path) -> None:
    lay(tmp_path, "a")
    put(tmp_path / "labels/color.png", COLORS[SCENE])
    put(tmp_path / "labels/rgba.png", np.dstack([COLORS[SCENE], np.full((3, 4), 255, np.uint8)]))
    put(tmp_path / "labels/index.png", SCENE)
    put(tmp_path / "labels/palette.png", palette_image(SCENE, COLORS))
    ways = {"color": row(tmp_path), "rgba": row(tmp_path)}
    ways |= {way: row(tmp_path, encoding=way, ignore=[3]) for way in ("index", "palette")}
    stored = {way: sample(tmp_path, ways[way], label=f"labels/{way}.png").labels["semantic"] for way in ways}
    assert len({file.bytes for file in stored.values()}) == 1
    assert [file.path for file in stored.values()] == [f"{way}.png" for way in ways]
    with Image.open(io.BytesIO(stored["color"].bytes)) as label:
        palette = np.array(label.getpalette()).reshape(-1, 3)
        assert label.mode == "P"
        np.testing.assert_array_equal(np.array(label), np.where(SCENE == 3, 255, SCENE))
    np.testing.assert_array_equal(palette[:3], COLORS[:3])
    assert tuple(palette[255]) == (224, 224, 192)


def test_several_values_or_colours_may_mean_one_class_or_void(tmp_path: Path) -> None:
    put(tmp_path / "images/a.png", np.full((1, 5, 3), 9, np.uint8))
    put(tmp_path / "labels/a.png", np.array([[7, 8, 0, 200, 255]], np.uint8))
    fields = row(tmp_path, encoding="index", classes=["ground=0|#010203", "road=7|8|#804080"], ignore=["edge=200", 255])
    found = sample(tmp_path, fields)
    assert pixels(found.labels["semantic"]).tolist() == [[1, 1, 0, 255, 255]]
    assert folder.parse("leaves", fields).SPEC.labels["semantic"].palette == ((1, 2, 3), (128, 64, 128))

    colors = np.array([[(1, 1, 1), (2, 2, 2), (3, 3, 3), (4, 4, 4), (5, 5, 5)]], np.uint8)
    put(tmp_path / "labels/a.png", colors)
    fields = row(tmp_path, classes=["a=#010101|#020202", "b=#030303"], ignore=["#040404", "#050505"])
    assert pixels(sample(tmp_path, fields).labels["semantic"]).tolist() == [[0, 0, 1, 255, 255]]


def test_a_label_that_is_what_would_be_stored_keeps_its_bytes(tmp_path: Path) -> None:
    lay(tmp_path, "a")
    fields = row(tmp_path, encoding="palette", classes=["soil", "leaf", "stem"], ignore=[3])
    put(tmp_path / "labels/a.png", palette_image(SCENE, COLORS))
    ours = sample(tmp_path, fields).labels["semantic"]
    put(tmp_path / "labels/a.png", Image.open(io.BytesIO(ours.bytes)), compress_level=1)
    theirs = encoded(tmp_path / "labels/a.png").bytes
    assert theirs != ours.bytes
    fields["ignore"] = [255]
    assert sample(tmp_path, fields).labels["semantic"].bytes == theirs


def test_a_palette_image_may_also_be_read_by_its_colours(tmp_path: Path) -> None:
    lay(tmp_path, "a")
    order = np.array([2, 0, 3, 1])  # what programs that reduce colours do: indices by chance, colours as they were
    numbered = palette_image(np.argsort(order).astype(np.uint8)[SCENE], COLORS[order])
    put(tmp_path / "labels/p.png", numbered)
    ours, theirs = (sample(tmp_path, row(tmp_path), label=f"labels/{name}.png") for name in "ap")
    assert ours.labels["semantic"].bytes == theirs.labels["semantic"].bytes
    by_index = row(tmp_path, encoding="palette", ignore=[3])
    refused(
        tmp_path, r"p\.png shows index 0 in #0000ff and another in #000000, the colour", by_index, label="labels/p.png"
    )
    put(tmp_path / "labels/p.png", numbered, transparency=0)
    refused(tmp_path, r"p\.png has alpha 0 at row 1, column 1", label="labels/p.png")


def test_an_unknown_colour_is_refused_at_its_first_pixel(tmp_path: Path) -> None:
    lay(tmp_path, "a")
    label = COLORS[SCENE]
    label[1, 2] = label[2, 0] = (0, 255, 0)
    put(tmp_path / "labels/a.png", label)
    refused(tmp_path, r"labels/a\.png has colour #00ff00 at row 1, column 2: give it a class in folders")
    label[1, 1] = (4, 0, 250)
    put(tmp_path / "labels/a.png", label)
    refused(tmp_path, r"#0400fa at row 1, column 1, near #0000ff: the label was a JPEG once, or has soft edges: export")


def test_rgb_jpeg_and_png_keep_their_bytes(tmp_path: Path) -> None:
    lay(tmp_path, "a")
    for name in ("a.jpg", "a.png"):
        path = put(tmp_path / "images" / name, np.random.default_rng(0).integers(0, 256, (3, 4, 3), np.uint8))
        kept = sample(tmp_path, row(tmp_path), image=f"images/{name}").images["color"]
        assert kept == Encoded(bytes=path.read_bytes(), path=name)


KINDS = "png L, jpg L, png RGBA, png LA, png P, png P clear, png 1, jpg CMYK, tif CMYK, tif RGB, bmp RGB, webp RGB"


@pytest.mark.parametrize("kind", KINDS.split(", "))
def test_any_other_8_bit_image_becomes_an_rgb_png(tmp_path: Path, kind: str) -> None:
    ending, mode, *clear = kind.split()
    options = {"transparency": b"\0\7"} if clear else {"lossless": True} if ending == "webp" else {}
    lay(tmp_path, "a")
    source = Image.fromarray(np.random.default_rng(0).integers(0, 256, (3, 4, 3), np.uint8)).convert(mode)
    path = put(tmp_path / f"images/a.{ending}", source, **options)
    with Image.open(path) as image:
        image.info.clear()
        shown = np.array(image.convert("RGB"))
    first, again = (sample(tmp_path, row(tmp_path), image=f"images/a.{ending}") for _ in range(2))
    with Image.open(io.BytesIO(first.images["color"].bytes)) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (4, 3))
    np.testing.assert_array_equal(pixels(first.images["color"]), shown)
    assert first.images["color"].path == "a.png" and first == again


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


DEEP = raw_png(4, 3, 16, 2, bytes(3 * 25))  # Pillow would drop the lower bits unasked
PAGE = Image.new("RGB", (4, 3))
PALETTE = palette_image(SCENE, COLORS)


@pytest.mark.parametrize(
    ("encoding", "file", "content", "options", "told"),
    [
        ("color", "labels/x.png", SCENE, {}, r"is of mode L, but folders\.leaves\.encoding is color: set it to index"),
        ("index", "labels/x.png", PALETTE, {}, "is of mode P, .* set it to palette or color"),
        ("index", "labels/x.png", np.dstack([SCENE, SCENE]), {}, "is of mode LA, .* save the label as grey"),
        ("color", "labels/x.png", SCENE.astype(np.uint16), {}, "has 16 bits a channel: save it with 8"),
        ("color", "labels/x.png", Image.fromarray(SCENE > 1), {}, "is of mode 1, .*: set it to index or masks"),
        ("index", "labels/x.png", np.full((3, 4), 3, np.uint8), {}, "has no pixel of a class, all are void: leave it"),
        ("index", "labels/x.png", SCENE + 1, {}, r"has value 4 at row 0, column 3: give it a class in folders\.leaves"),
        ("color", "labels/x.png", np.dstack([COLORS[SCENE], 255 - SCENE]), {}, "has alpha 254 at row 0, column 2: "),
        ("color", "labels/x.png", COLORS[SCENE], {"exif": turned(6)}, "has EXIF orientation 6: save the label upright"),
        ("color", "labels/x.jpg", COLORS[SCENE], {}, "is JPEG, which blurs colours and values: export"),
        ("color", "labels/x.png", b"<html>", {}, "is no image that Pillow can read: save it as PNG, or leave it out"),
        ("color", "images/x.png", raw_png(4, 3, 8, 2, bytes(3 * 13))[:45], {}, "does not decode"),
        ("color", "images/x.png", DEEP, {}, "has 16 bits a channel: save it with 8"),
        ("color", "images/x.tif", np.zeros((3, 4), np.float32), {}, "has 32 bits a channel"),
        ("color", "images/x.tif", PAGE, {"save_all": True, "append_images": [PAGE]}, "holds 2 pages: save one of them"),
        ("color", "images/x.tif", PAGE, {"exif": turned(6)}, "has TIFF orientation 6: save it upright"),
        ("color", "images/x.gif", PAGE, {}, "is GIF of mode .*: save it as JPEG or PNG"),
        ("color", "images/x.png", np.zeros((4, 4, 3), np.uint8), {}, r"is 4×4 \(height×width\) but .*a\.png is 3×4: "),
        ("color", "images/x.jpg", PAGE, {"exif": turned(3)}, r"has EXIF orientation 3, .*: turn it .*\(exiftran -ai\)"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_meant_is_refused(
    tmp_path: Path, encoding: str, file: str, content: Any, options: dict[str, Any], told: str
) -> None:
    lay(tmp_path, "a")
    (tmp_path / file).write_bytes(content) if isinstance(content, bytes) else put(tmp_path / file, content, **options)
    fields = row(tmp_path) if encoding == "color" else row(tmp_path, encoding=encoding, ignore=[3])
    refused(tmp_path, rf"{re.escape(file)} {told}", fields, **{file[:5]: file})


def test_an_image_too_large_to_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path, "a")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5)
    refused(tmp_path, r"a\.png is too large \(.*\): cut it into tiles")


def test_a_turned_photograph_is_what_its_labels_size_says(tmp_path: Path) -> None:
    stored = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    label = np.zeros((3, 4), np.uint8)
    fields = row(tmp_path, encoding="index", ignore=[])
    for orientation, shown in {5: stored.swapaxes(0, 1), 6: np.rot90(stored, -1), 8: np.rot90(stored)}.items():
        put(tmp_path / "images/a.png", stored, exif=turned(orientation))
        put(tmp_path / "labels/a.png", label)
        as_stored = sample(tmp_path, fields).images["color"]
        put(tmp_path / "labels/a.png", label.T)
        as_shown = sample(tmp_path, fields).images["color"]
        np.testing.assert_array_equal(pixels(as_stored), stored)
        np.testing.assert_array_equal(pixels(as_shown), shown)
        for file in (as_stored, as_shown):
            with Image.open(io.BytesIO(file.bytes)) as image:
                assert not image.getexif()  # so that no reader turns it again
