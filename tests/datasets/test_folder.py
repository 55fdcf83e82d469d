"""A user's own folder becomes a dataset, whatever the labels' encoding, or is refused by file and pixel."""

from __future__ import annotations

import io
import pickle
import struct
import zlib
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.core.types import Encoded, Refusal
from pipeline.datasets import voc
from pipeline.datasets.own import folder, splits

REAL = Path(__file__).parents[2].parent / "shared/real"
COLORS = np.array([(0, 0, 0), (255, 0, 0), (0, 0, 255), (128, 128, 128)], np.uint8)
SCENE = np.array([[0, 0, 1, 3], [0, 2, 1, 3], [2, 2, 1, 3]], np.uint8)  # soil, leaf, stem; 3 is void


def row(place: Path, /, **changes: Any) -> dict[str, Any]:
    fields = {
        "root": str(place),
        "images": "images/*.png",
        "labels": "labels/*.png",
        "encoding": "color",
        "classes": ["soil=#000000", "leaf=#ff0000", "stem=#0000ff"],
        "ignore": ["edge=#808080"],
        "splits": ["train=0.5", "val=0.5"],
    }
    return {**fields, **changes}


def put(path: Path, pixels: np.ndarray | Image.Image, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)
    return path


def lay(root: Path, *names: str) -> None:
    """Pairs of 3×4 pixels, every one the same scene."""
    for name in names:
        put(root / f"images/{name}.png", np.full((3, 4, 3), 100, np.uint8))
        put(root / f"labels/{name}.png", COLORS[SCENE])


def palette_image(indices: np.ndarray, colors: np.ndarray) -> Image.Image:
    image = Image.fromarray(indices)
    image.putpalette(colors.tobytes())
    return image


def encoded(path: Path) -> Encoded:
    return Encoded(bytes=path.read_bytes(), path=str(path))


def sample(root: Path, fields: Mapping[str, Any], image: str = "images/a.png", label: str = "labels/a.png") -> Any:
    parts = {"color": encoded(root / image), "semantic": encoded(root / label)}
    return folder.parse("leaves", fields).sample("a", parts)


def pixels(file: Encoded) -> np.ndarray:
    with Image.open(io.BytesIO(file.bytes)) as image:
        return np.array(image)


def test_three_encodings_of_one_scene_give_the_same_stored_label(tmp_path: Path) -> None:
    put(tmp_path / "images/a.png", np.full((3, 4, 3), 100, np.uint8))
    put(tmp_path / "labels/color.png", COLORS[SCENE])
    put(tmp_path / "labels/rgba.png", np.dstack([COLORS[SCENE], np.full((3, 4), 255, np.uint8)]))
    put(tmp_path / "labels/index.png", SCENE)
    put(tmp_path / "labels/palette.png", palette_image(SCENE, COLORS))
    values = row(tmp_path, encoding="index", ignore=[3])
    ways = {
        "color": row(tmp_path),
        "rgba": row(tmp_path),
        "index": values,
        "palette": {**values, "encoding": "palette"},
    }
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
    classes = ["ground=0", "road=7|8|#804080"]
    with pytest.raises(Refusal, match=r"classes\[0\] is 'ground=0', yet others have colours: give all of them one"):
        folder.parse("leaves", row(tmp_path, encoding="index", classes=classes, ignore=[]))
    fields = row(tmp_path, encoding="index", classes=["ground=0|#010203", classes[1]], ignore=["edge=200", 255])
    found = sample(tmp_path, fields)
    assert pixels(found.labels["semantic"]).tolist() == [[1, 1, 0, 255, 255]]
    assert folder.parse("leaves", fields).SPEC.labels["semantic"].palette == ((1, 2, 3), (128, 64, 128))

    colors = np.array([[(1, 1, 1), (2, 2, 2), (3, 3, 3), (4, 4, 4), (5, 5, 5)]], np.uint8)
    put(tmp_path / "labels/a.png", colors)
    fields = row(tmp_path, classes=["a=#010101|#020202", "b=#030303"], ignore=["#040404", "#050505"])
    assert pixels(sample(tmp_path, fields).labels["semantic"]).tolist() == [[0, 0, 1, 255, 255]]


def test_classes_without_values_or_colours_are_their_places_in_vocs_colours(tmp_path: Path) -> None:
    lay(tmp_path, "a")
    put(tmp_path / "labels/a.png", SCENE % 3)
    fields = row(tmp_path, encoding="index", classes=["soil", "leaf", "stem"], ignore=[])
    found = folder.parse("leaves", fields)
    assert found.SPEC.labels["semantic"].palette == voc.SPEC.labels["semantic"].palette[:3]
    assert found.SPEC.name == "leaves" and found.SPEC.images == ("color",)
    np.testing.assert_array_equal(pixels(sample(tmp_path, fields).labels["semantic"]), SCENE % 3)


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
    with pytest.raises(
        Refusal, match=r"p\.png shows index 0 in #0000ff and another in #000000, the colour of soil: set"
    ):
        sample(tmp_path, by_index, label="labels/p.png")
    put(tmp_path / "labels/p.png", numbered, transparency=0)
    with pytest.raises(Refusal, match=r"p\.png has alpha 0 at row 1, column 1"):
        sample(tmp_path, row(tmp_path), label="labels/p.png")


@pytest.mark.parametrize(
    ("encoding", "label", "told"),
    [
        ("color", SCENE, r"a\.png is grey, but folders\.leaves\.encoding is color: set it to index"),
        ("index", COLORS[SCENE], r"a\.png is RGB, but folders\.leaves\.encoding is index: set it to color"),
        ("palette", np.dstack([COLORS[SCENE], SCENE]), r"a\.png is RGBA, .* set it to color"),
        ("index", palette_image(SCENE, COLORS), r"a\.png is a palette image, .* set it to palette or color"),
        ("palette", SCENE, r"a\.png is grey, .* set it to index"),
        ("index", np.dstack([SCENE, SCENE]), r"a\.png is LA, .* save the label as 8-bit grey, palette or RGB PNG"),
        ("index", SCENE.astype(np.uint16), r"a\.png has 16 bits a channel: save it with 8"),
        ("index", Image.fromarray(SCENE > 1), r"a\.png has 1 bits a pixel: save it with 8"),
        ("index", np.full((3, 4), 3, np.uint8), r"a\.png has no pixel of a class, all are void: leave it"),
        ("index", SCENE + 1, r"a\.png has value 4 at row 0, column 3, but known are 0–3: correct the label or"),
        ("index", np.where(SCENE == 2, np.uint8(255), SCENE), r"value 255 at row 1, column 1, .* write name=255"),
    ],
)
def test_a_label_of_another_kind_or_value_is_refused(tmp_path: Path, encoding: str, label: Any, told: str) -> None:
    lay(tmp_path, "a")
    put(tmp_path / "labels/a.png", label)
    fields = row(tmp_path) if encoding == "color" else row(tmp_path, encoding=encoding, ignore=[3])
    with pytest.raises(Refusal, match=told):
        sample(tmp_path, fields)


def test_an_unknown_colour_is_refused_at_its_first_pixel(tmp_path: Path) -> None:
    lay(tmp_path, "a")
    label = COLORS[SCENE]
    label[1, 2] = label[2, 0] = (0, 255, 0)
    put(tmp_path / "labels/a.png", label)
    with pytest.raises(
        Refusal, match=r"labels/a\.png has colour #00ff00 at row 1, column 2: give it a class in folders"
    ):
        sample(tmp_path, row(tmp_path))
    label[1, 1] = (4, 0, 250)
    put(tmp_path / "labels/a.png", label)
    with pytest.raises(
        Refusal, match=r"#0400fa at row 1, column 1, near stem's #0000ff: if it is meant, add \|#0400fa to stem; if not"
    ):
        sample(tmp_path, row(tmp_path))
    label[0, 0] = (120, 130, 126)
    put(tmp_path / "labels/a.png", label)
    with pytest.raises(
        Refusal,
        match=r"#78827e at row 0, column 0, near void's #808080: if it is meant, list it as ignored; .* a JPEG once",
    ):
        sample(tmp_path, row(tmp_path))


def test_a_label_with_a_clear_pixel_is_refused(tmp_path: Path) -> None:
    lay(tmp_path, "a")
    alpha = np.full((3, 4), 255, np.uint8)
    alpha[2, 3] = 0
    put(tmp_path / "labels/a.png", np.dstack([COLORS[SCENE], alpha]))
    with pytest.raises(Refusal, match=r"labels/a\.png has alpha 0 at row 2, column 3: a label is opaque"):
        sample(tmp_path, row(tmp_path))


def test_a_jpeg_label_is_refused_as_such(tmp_path: Path) -> None:
    lay(tmp_path, "a")
    put(tmp_path / "labels/a.jpg", COLORS[SCENE])
    with pytest.raises(
        Refusal, match=r"labels/a\.jpg is JPEG, which blurs colours and values: export labels anew as PNG"
    ):
        sample(tmp_path, row(tmp_path), label="labels/a.jpg")
    put(tmp_path / "labels/a.bmp", COLORS[SCENE])
    with pytest.raises(Refusal, match=r"labels/a\.bmp is BMP, save it as PNG"):
        sample(tmp_path, row(tmp_path), label="labels/a.bmp")


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_rgb_jpeg_and_png_keep_their_bytes(tmp_path: Path, ending: str) -> None:
    lay(tmp_path, "a")
    path = put(tmp_path / f"images/a.{ending}", np.random.default_rng(0).integers(0, 256, (3, 4, 3), np.uint8))
    kept = sample(tmp_path, row(tmp_path), image=f"images/a.{ending}").images["color"]
    assert kept == Encoded(bytes=path.read_bytes(), path=f"a.{ending}")


@pytest.mark.parametrize(
    ("ending", "mode", "options"),
    [
        ("png", "L", {}),
        ("jpg", "L", {}),
        ("png", "RGBA", {}),
        ("png", "LA", {}),
        ("png", "P", {}),
        ("png", "P", {"transparency": b"\0\7"}),
        ("png", "1", {}),
        ("jpg", "CMYK", {}),
        ("tif", "CMYK", {}),
        ("tif", "RGB", {}),
        ("tif", "RGB", {"compression": "tiff_lzw"}),
        ("bmp", "RGB", {}),
        ("webp", "RGB", {"lossless": True}),
    ],
)
def test_any_other_8_bit_image_becomes_an_rgb_png(
    tmp_path: Path, ending: str, mode: str, options: dict[str, Any]
) -> None:
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


def test_images_that_8_bits_or_one_page_do_not_hold_are_refused(tmp_path: Path) -> None:
    lay(tmp_path, "a")
    put(tmp_path / "images/deep.png", np.zeros((3, 4), np.uint16))
    with pytest.raises(Refusal, match=r"images/deep\.png has 16 bits a channel: save it with 8"):
        sample(tmp_path, row(tmp_path), image="images/deep.png")
    (tmp_path / "images/rich.png").write_bytes(deep_png())
    with Image.open(tmp_path / "images/rich.png") as image:
        assert image.mode == "RGB"  # Pillow drops the lower bits unasked
    with pytest.raises(Refusal, match=r"images/rich\.png has 16 bits a channel"):
        sample(tmp_path, row(tmp_path), image="images/rich.png")
    put(tmp_path / "images/deep.tif", np.zeros((3, 4), np.uint16))
    with pytest.raises(Refusal, match=r"images/deep\.tif has 16 bits a channel"):
        sample(tmp_path, row(tmp_path), image="images/deep.tif")
    put(tmp_path / "images/float.tif", np.zeros((3, 4), np.float32))
    with pytest.raises(Refusal, match=r"images/float\.tif has 32 bits a channel"):
        sample(tmp_path, row(tmp_path), image="images/float.tif")
    page = Image.new("RGB", (4, 3))
    put(tmp_path / "images/pages.tif", page, save_all=True, append_images=[page, page])
    with pytest.raises(Refusal, match=r"images/pages\.tif holds 3 pages: save one of them"):
        sample(tmp_path, row(tmp_path), image="images/pages.tif")
    put(tmp_path / "images/a.gif", page)
    with pytest.raises(Refusal, match=r"images/a\.gif is GIF of mode .*: save it as JPEG or PNG"):
        sample(tmp_path, row(tmp_path), image="images/a.gif")


def deep_png() -> bytes:
    """A black 4×3 RGB PNG of 16 bits a channel, which Pillow cannot write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    lines = zlib.compress((b"\0" + bytes(4 * 6)) * 3)
    header = struct.pack(">IIBBBBB", 4, 3, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


def test_files_that_do_not_decode_are_named(tmp_path: Path) -> None:
    lay(tmp_path, "a")
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    whole = put(tmp_path / "images/cut.jpg", noise).read_bytes()
    (tmp_path / "images/cut.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Refusal, match=r"images/cut\.jpg does not decode \(image file is truncated"):
        sample(tmp_path, row(tmp_path), image="images/cut.jpg")
    (tmp_path / "labels/page.png").write_bytes(b"<html>")
    with pytest.raises(Refusal, match=r"labels/page\.png is no image that Pillow can read: save it as PNG"):
        sample(tmp_path, row(tmp_path), label="labels/page.png")
    broken = bytearray((tmp_path / "labels/a.png").read_bytes())
    broken[-20] ^= 255
    (tmp_path / "labels/broken.png").write_bytes(broken)
    with pytest.raises(Refusal, match=r"labels/broken\.png does not decode"):
        sample(tmp_path, row(tmp_path), label="labels/broken.png")


def test_an_image_too_large_to_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path, "a")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5)
    with pytest.raises(Refusal, match=r"a\.png has more than 10 pixels: cut it into tiles"):
        sample(tmp_path, row(tmp_path))


def test_sizes_that_differ_are_refused(tmp_path: Path) -> None:
    lay(tmp_path, "a")
    put(tmp_path / "images/a.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(
        Refusal, match=r"images/a\.png is 4×4 \(height×width\) but .*labels/a\.png is 3×4: an image and"
    ):
        sample(tmp_path, row(tmp_path))


def turned(path: Path, image: np.ndarray, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    put(path, image, exif=exif)


def test_a_turned_photograph_is_what_its_labels_size_says(tmp_path: Path) -> None:
    stored = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    label = np.zeros((3, 4), np.uint8)
    fields = row(tmp_path, encoding="index", ignore=[])
    for orientation, shown in {5: stored.swapaxes(0, 1), 6: np.rot90(stored, -1), 8: np.rot90(stored)}.items():
        turned(tmp_path / "images/a.png", stored, orientation)
        put(tmp_path / "labels/a.png", label)
        as_stored = sample(tmp_path, fields).images["color"]
        put(tmp_path / "labels/a.png", label.T)
        as_shown = sample(tmp_path, fields).images["color"]
        np.testing.assert_array_equal(pixels(as_stored), stored)
        np.testing.assert_array_equal(pixels(as_shown), shown)
        for file in (as_stored, as_shown):
            with Image.open(io.BytesIO(file.bytes)) as image:
                assert not image.getexif()  # so that no reader turns it again


@pytest.mark.parametrize(("height", "orientation"), [(4, 3), (4, 6), (3, 2), (3, 3)])
def test_a_turn_that_sizes_do_not_tell_is_refused(tmp_path: Path, height: int, orientation: int) -> None:
    turned(tmp_path / "images/a.jpg", np.zeros((height, 4, 3), np.uint8), orientation)
    put(tmp_path / "labels/a.png", np.zeros((height, 4), np.uint8))
    fields = row(tmp_path, encoding="index", ignore=[])
    with pytest.raises(Refusal, match=rf"images/a\.jpg has EXIF orientation {orientation}, .*\(exiftran -ai\)"):
        sample(tmp_path, fields, image="images/a.jpg")


def test_a_turned_tiff_or_label_is_refused(tmp_path: Path) -> None:
    lay(tmp_path, "a")
    turned(tmp_path / "images/a.tif", np.zeros((3, 4, 3), np.uint8), 6)
    with pytest.raises(Refusal, match=r"images/a\.tif has TIFF orientation 6: save it upright"):
        sample(tmp_path, row(tmp_path), image="images/a.tif")
    turned(tmp_path / "labels/a.png", COLORS[SCENE], 6)
    with pytest.raises(Refusal, match=r"labels/a\.png has EXIF orientation 6: save the label upright"):
        sample(tmp_path, row(tmp_path))


def test_pairs_are_found_below_folders_and_hidden_files_are_not(tmp_path: Path) -> None:
    lay(tmp_path, "deep/er/a", "b")
    (tmp_path / "images/._b.png").write_bytes(b"what macOS leaves in archives")
    found = folder.parse("leaves", row(tmp_path, images="images/**/*.png", labels="labels/**/*.png", splits=["all=1"]))
    assert found.splits(tmp_path) == ("all",)
    assert found.ids(tmp_path, "all") == ["a", "b"]
    read = list(found.read(tmp_path, ["b", "a"]))
    assert [name for name, _ in read] == ["b", "a"]
    assert read[1][1]["semantic"] == encoded(tmp_path / "labels/deep/er/a.png")
    assert found.sample(*read[1]).id == "a"


def test_an_id_is_where_the_pattern_says_so(tmp_path: Path) -> None:
    put(tmp_path / "x/a_rgb.png", np.zeros((3, 4, 3), np.uint8))
    put(tmp_path / "y/m-a_mask.png", COLORS[SCENE])
    fields = row(tmp_path, images="*/*_rgb.png", labels="y/*.png", splits=["train=1"])
    with pytest.raises(Refusal, match=r"no image has a label, .* a_rgb and labels m-a_mask: .* write \{id\}"):
        folder.parse("leaves", fields).ids(tmp_path, "train")
    fields |= {"images": "*/{id}_rgb.png", "labels": "y/m-{id}_mask.png"}
    assert folder.parse("leaves", fields).ids(tmp_path, "train") == ["a"]
    for pattern in ("images/*.{jpg,png}", "{id}/*.png", "{id}_{id}.png", "{id}_*.png"):
        with pytest.raises(Refusal, match=r"leaves\.images is .*: the only braces are one \{id\}"):
            folder.parse("leaves", {**fields, "images": pattern}).ids(tmp_path, "train")


def test_lists_give_files_and_their_ids(tmp_path: Path) -> None:
    lay(tmp_path, "a", "two words", "c")
    (tmp_path / "images.txt").write_text("\ufeffone images/two words.png\r\n\r\nimages/c.png\r\n", encoding="utf-8")
    (tmp_path / "labels.txt").write_text("one\tlabels/a.png\nc labels/two words.png\n")
    fields = row(tmp_path, images="@images.txt", labels="@labels.txt", splits=["train=1"])
    found = folder.parse("leaves", fields)
    assert found.ids(tmp_path, "train") == ["c", "one"]
    ((_, parts),) = found.read(tmp_path, ["one"])
    assert [Path(file.path).name for file in parts.values()] == ["two words.png", "a.png"]


@pytest.mark.parametrize("line", ["../a.png", "a /etc/a.png", "a images/../../a.png", "C:\\a.png", "a ..\\a.png"])
def test_a_list_does_not_reach_out_of_the_root(tmp_path: Path, line: str) -> None:
    lay(tmp_path / "in", "a")
    put(tmp_path / "a.png", COLORS[SCENE])
    (tmp_path / "in/list.txt").write_text(f"{line}\n")
    fields = row(tmp_path / "in", images="@list.txt", splits=["train=1"])
    with pytest.raises(Refusal, match=r"list\.txt names .*a\.png, outside the root: put the file into"):
        folder.parse("leaves", fields).ids(tmp_path / "in", "train")
    for leaf in ({"labels": "../*.png"}, {"images": "@../list.txt"}, {"splits": ["train=/etc/hosts"]}):
        fields = row(tmp_path / "in", **leaf)
        with pytest.raises(Refusal, match=rf"folders\.leaves\.{next(iter(leaf))} names .*, outside the root"):
            folder.check("leaves", fields)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"nowhere is no folder: put the data there, or correct folders\.leaves\.root"):
        folder.check("leaves", row(tmp_path / "nowhere"))
    lay(tmp_path, "a")
    with pytest.raises(Refusal, match=r"images is 'images/\*\.jpg', which matches no file: .* holds images, labels"):
        folder.check("leaves", row(tmp_path, images="images/*.jpg"))
    with pytest.raises(Refusal, match=r"list\.txt is missing: folders\.leaves\.images names it as a text file"):
        folder.check("leaves", row(tmp_path, images="@list.txt"))
    (tmp_path / "list.txt").write_text("\n\n")
    with pytest.raises(Refusal, match=r"list\.txt is empty: write one entry a line, or take it out of .*\.splits"):
        folder.check("leaves", row(tmp_path, splits=["train=list.txt"]))
    (tmp_path / "list.txt").write_text("a images/gone.png\na images/a.png\n")
    found = folder.check("leaves", row(tmp_path, images="@list.txt", splits=["train=1"]))
    assert found.problems == (
        f"{tmp_path}/images/gone.png is missing, but {tmp_path}/list.txt lists it: correct its line",
    )
    with pytest.raises(Refusal, match=r"has no image and label named x"):
        list(folder.parse("leaves", row(tmp_path)).read(tmp_path, ["x"]))
    with pytest.raises(Refusal, match=r"folders\.leaves has no split 'test': it has train"):
        folder.parse("leaves", row(tmp_path, splits=["train=1"])).ids(tmp_path, "test")


def test_two_images_of_one_id_and_odd_ids_are_refused(tmp_path: Path) -> None:
    lay(tmp_path, "a", "b")
    put(tmp_path / "images/deep/a.png", COLORS[SCENE])
    fields = row(tmp_path, images="images/**/*.png", splits=["train=1"])
    with pytest.raises(Refusal, match=r"images/deep/a\.png and .*images/a\.png are both a: rename one, or set both"):
        folder.parse("leaves", fields).ids(tmp_path, "train")
    (tmp_path / "list.txt").write_text("x/a images/a.png\nb images/b.png\n")
    with pytest.raises(Refusal, match=r"images/a\.png would have the id 'x/a': an id is a name without slashes"):
        folder.parse("leaves", {**fields, "images": "@list.txt"}).ids(tmp_path, "train")


def test_names_from_a_mac_match_lists_from_elsewhere(tmp_path: Path) -> None:
    lay(tmp_path, "Bla\u0308tter")
    (tmp_path / "train.txt").write_text("Bl\u00e4tter\n", encoding="utf-8")
    found = folder.parse("leaves", row(tmp_path, splits=["train=train.txt"]))
    assert found.ids(tmp_path, "train") == ["Bl\u00e4tter"]
    assert [name for name, _ in found.read(tmp_path, ["Bl\u00e4tter"])] == ["Bl\u00e4tter"]


def test_a_share_depends_on_the_id_alone(tmp_path: Path) -> None:
    names = [f"image {number}" for number in range(2000)]
    rules = {"train": Fraction(7, 10), "val": Fraction(2, 10)}
    few, many = splits.shared_out(rules, names[:300]), splits.shared_out(rules, reversed(names))
    for split, ids in few.items():
        assert set(ids) <= set(many[split]) and ids == sorted(ids)
    assert not set(many["train"]) & set(many["val"])
    assert [len(many[split]) / 2000 for split in rules] == pytest.approx([0.7, 0.2], abs=0.03)
    assert float(splits.position("abc")) == pytest.approx(0xBA7816BF / 2**32)  # FIPS 180-2's example of SHA-256


def test_shares_sum_to_one_exactly_and_take_every_image(tmp_path: Path) -> None:
    lay(tmp_path, *(f"{number}" for number in range(12)))
    thirds = folder.parse("leaves", row(tmp_path, splits=["a=1/3", "b=1/3", "c=1/3"]))
    taken = [name for split in "abc" for name in thirds.ids(tmp_path, split)]
    assert sorted(taken) == sorted(f"{number}" for number in range(12))
    folder.parse("leaves", row(tmp_path, splits=["train=0.7", "val=0.2", "test=0.1"]))
    with pytest.raises(Refusal, match=r"splits shares out 1\.1 of the images: let the shares sum to 1 at most"):
        folder.parse("leaves", row(tmp_path, splits=["train=0.8", "val=0.3"]))
    with pytest.raises(Refusal, match=r"splits gives val none of the images"):
        folder.parse("leaves", row(tmp_path, splits=["train=0.99", "val=0.0001"])).ids(tmp_path, "val")


def test_lists_choose_and_the_rest_is_left_alone(tmp_path: Path) -> None:
    lay(tmp_path, "a", "b", "two words")
    put(tmp_path / "images/unlabelled.png", COLORS[SCENE])
    put(tmp_path / "labels/imageless.png", COLORS[SCENE])
    (tmp_path / "train.txt").write_text("two words\nb 1 extra\n")
    (tmp_path / "val.txt").write_text("a\n")
    fields = row(tmp_path, splits=["train=train.txt", "val=val.txt"])
    found = folder.parse("leaves", fields)
    assert found.ids(tmp_path, "train") == ["two words", "b"]
    assert folder.check("leaves", fields).facts[0] == "leaves: train 2, val 1, in no split 1"


@pytest.mark.parametrize(
    ("lists", "told"),
    [
        (("a\nb\n", "b\na\n"), r"train\.txt and .*val\.txt both list a and 1 more: an image belongs to one split"),
        (("a\nb\na\n", "c"), r"train\.txt lists a twice: each id stands once in a split"),
        (("a\n", "images/c.png\n"), r"val\.txt lists images/c\.png, of which there is no image: write c, for a list"),
        (("leaf12\n", "a\n"), r"train\.txt lists leaf12, of which there is no image: did you mean leaf_12\?"),
        (("zzz\n", "a\n"), r"train\.txt lists zzz, of which there is no image: take it off the list"),
        (
            ("lonely\n", "a\n"),
            r"images/lonely\.png has no label lonely in labels/\*\.png: add it, or take the image out",
        ),
    ],
)
def test_lists_that_overlap_or_name_strangers_are_refused(tmp_path: Path, lists: tuple[str, str], told: str) -> None:
    lay(tmp_path, "a", "b", "c", "leaf_12")
    put(tmp_path / "images/lonely.png", COLORS[SCENE])
    for split, text in zip(("train", "val"), lists, strict=True):
        (tmp_path / f"{split}.txt").write_text(text)
    with pytest.raises(Refusal, match=told):
        folder.parse("leaves", row(tmp_path, splits=["train=train.txt", "val=val.txt"])).ids(tmp_path, "train")


def test_shares_want_every_image_labelled_and_every_label_used(tmp_path: Path) -> None:
    lay(tmp_path, "a", "b", "c")
    (tmp_path / "labels/a.png").unlink()
    (tmp_path / "images/b.png").unlink()
    fields = row(tmp_path, splits=["train=1"])
    with pytest.raises(
        Refusal, match=r"labels/b\.png has no image b in images/\*\.png.* \(the first of 2 such problems"
    ):
        folder.parse("leaves", fields).ids(tmp_path, "train")
    told = folder.check("leaves", fields).problems
    assert [line.split(":")[0] for line in told] == [
        f"{tmp_path}/labels/b.png has no image b in images/*.png",
        f"{tmp_path}/images/a.png has no label a in labels/*.png",
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"image": "x"}, r"folders\.leaves has no field 'image': did you mean 'images'\? it has root, images"),
        ({"root": None}, r"folders\.leaves\.root is None: write a text"),
        ({"encoding": "colour"}, r"encoding is 'colour': did you mean 'color'\? choose index, palette, color"),
        ({"classes": {"soil": 0}}, r"classes is \{'soil': 0\}: write a list such as \[soil=#000000"),
        ({"classes": []}, r"classes is \[\]: write a list such as"),
        ({"classes": ["soil", False]}, r"classes\[1\] is False, which is no text to YAML: put it in quotes"),
        ({"classes": ["soil=#000000"]}, r"classes names 1: does the background have none\? a label has 2 to 254"),
        ({"encoding": "index", "classes": [f"c{i}" for i in range(255)]}, r"classes names 255: a label has 2 to 254"),
        ({"classes": ["a=#000000", "a=#000001"]}, r"classes\[1\] and .*classes\[0\] are both named a: name each once"),
        ({"classes": ["a=#000000", "b=#00000A|#000000"]}, r"classes\[1\] and .*\[0\] both claim #000000: let it mean"),
        ({"classes": ["a=#000000", "b=#808080"]}, r"ignore\[0\] and .*classes\[1\] both claim #808080: let it mean"),
        ({"classes": ["a=#000000", "b"]}, r"classes\[1\] is 'b': labels of encoding color store #rrggbb, so give"),
        ({"classes": ["a=#000000", "b=7"]}, r"classes\[1\] is 'b=7': labels of encoding color store #rrggbb"),
        ({"classes": ["a=#000000", "b=#f00"]}, r"classes\[1\] is 'b=#f00', and '#f00' is neither a value"),
        ({"classes": ["a=#000000", "=#ff0000"]}, r"classes\[1\] is '=#ff0000': a name stands before ="),
        (
            {"classes": ["a=#000000", "void=#ff0000"]},
            r"classes\[1\] is named void, .* move it to folders\.leaves\.ignore",
        ),
        ({"ignore": [None]}, r"ignore\[0\] is empty: YAML takes a # that begins a value for a comment; quote it"),
        ({"ignore": [255]}, r"ignore\[0\] is '255': labels of encoding color store #rrggbb"),
        ({"ignore": [True]}, r"ignore\[0\] is True, which is no text"),
        ({"ignore": ["#808080", "rim=#808080"]}, r"ignore\[1\] and .*ignore\[0\] both claim #808080"),
        ({"splits": ["train"]}, r"splits has 'train': write split=lists/file\.txt, or split=0\.8"),
        ({"splits": ["a/b=0.5"]}, r"splits has 'a/b=0\.5': write split="),
        ({"splits": ["train=0.5", "train=0.5"]}, r"splits names train twice"),
        ({"splits": ["train=0.5", "val=val.txt"]}, r"splits mixes lists with shares"),
        ({"splits": ["train=0"]}, r"splits has 'train=0': a share is above 0"),
        ({"splits": ["train=-0.5"]}, r"splits has 'train=-0\.5': a share is above 0"),
    ],
)
def test_a_row_that_cannot_be_meant_is_refused(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(Refusal, match=told) as refusal:
        folder.parse("leaves", row(tmp_path, **changes))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"classes": ["a=1", "b"]},
            r"classes\[1\] is 'b', yet others have stored values: give all of them one or none",
        ),
        ({"classes": ["a=1", "b=1"]}, r"classes\[1\] and .*classes\[0\] both claim 1: let it mean one thing"),
        ({"classes": ["a", "b"], "ignore": [1]}, r"ignore\[0\] and .*classes\[1\] both claim 1"),
        ({"classes": ["a=1", "b=256"]}, r"classes\[1\] is 'b=256', and '256' is neither a value \(0–255\)"),
        (
            {"classes": ["a=1|#010101|#020202", "b=2|#030303"]},
            r"classes\[0\] is .*: labels store values, so one colour",
        ),
        ({"classes": ["a=#010101", "b=#010101"]}, r"classes\[1\] and .*\[0\] are both shown in #010101: use two"),
        ({"ignore": ["#808080"]}, r"ignore\[0\] is '#808080': labels of this encoding store values, so give 0–255"),
        ({"ignore": [-1]}, r"ignore\[0\] is '-1', and '-1' is neither a value"),
    ],
)
def test_values_that_cannot_be_meant_are_refused(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    fields = row(tmp_path, **{"encoding": "index", "classes": ["a", "b"], "ignore": [], **changes})
    with pytest.raises(Refusal, match=told):
        folder.parse("leaves", fields)


def test_a_row_lacking_a_field_is_refused(tmp_path: Path) -> None:
    assert set(folder.FIELDS) == row(tmp_path).keys()
    assert folder.parse("leaves", row(tmp_path, rows_per_shard=64)) == folder.parse("leaves", row(tmp_path))
    for field in folder.FIELDS:
        fields = row(tmp_path)
        del fields[field]
        with pytest.raises(Refusal, match=rf"folders\.leaves lacks {field}: give every field a value"):
            folder.parse("leaves", fields)
    with pytest.raises(Refusal, match=r"folders\.leaves is None: it must be a map of root, images"):
        folder.parse("leaves", None)  # type: ignore[arg-type]


def test_a_spawned_worker_makes_the_same_sample(tmp_path: Path) -> None:
    lay(tmp_path, "a", "b")
    found = folder.parse("leaves", row(tmp_path, splits=["train=1"]))
    assert pickle.loads(pickle.dumps(found)) == found
    read = list(found.read(tmp_path, ["a", "b"]))
    here = [found.sample(*pair) for pair in read]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert [pool.submit(found.sample, *pair).result() for pair in read] == here


def test_check_gathers_every_problem_and_ids_do_not_care_for_pixels(tmp_path: Path) -> None:
    lay(tmp_path, "a", "b", "c", "d")
    put(tmp_path / "images/e.png", COLORS[SCENE])
    put(tmp_path / "labels/a.png", SCENE)
    put(tmp_path / "images/b.png", np.zeros((9, 9, 3), np.uint8))
    (tmp_path / "labels/d.png").write_bytes(b"")
    fields = row(tmp_path, splits=["train=1"])
    told = folder.check("leaves", fields)
    assert told.facts == () and list(told) == list(told.problems)
    assert [line.removeprefix(f"{tmp_path}/")[:22] for line in told.problems] == [
        "images/e.png has no la",
        "labels/a.png is grey, ",
        "images/b.png is 9×9 (h",
        "labels/d.png is no ima",
    ]
    put(tmp_path / "labels/e.png", COLORS[SCENE])
    assert folder.parse("leaves", fields).ids(tmp_path, "train") == list("abcde")


def test_check_of_sound_data_tells_counts_sizes_and_shares(tmp_path: Path) -> None:
    lay(tmp_path, "a", "b")
    put(tmp_path / "images/b.png", np.zeros((1, 2, 3), np.uint8))
    put(tmp_path / "labels/b.png", COLORS[np.array([[0, 1]])])
    (tmp_path / "train.txt").write_text("a\n")
    (tmp_path / "val.txt").write_text("b\n")
    told = folder.check("leaves", row(tmp_path, splits=["train=train.txt", "val=val.txt"]))
    assert told.problems == () and list(told) == list(told.facts)
    assert told.facts == (
        "leaves: train 1, val 1",
        "height×width: 1×2 to 3×4",
        "soil  train 33.33 %  val 50.00 %",
        "leaf  train 33.33 %  val 50.00 %",
        "stem  train 33.33 %  val none",
        "void  train 25.00 %  val none of all pixels",
    )


@pytest.mark.skipif(not REAL.is_dir(), reason="no ../shared/real")
def test_voc_unpacked_is_voc(tmp_path: Path) -> None:
    names = voc.ids(REAL, "val")[:8]
    published = {name: voc.sample(name, parts) for name, parts in voc.read(REAL, names)}
    for one in published.values():
        for part, file in (("JPEGImages", one.images["color"]), ("SegmentationClass", one.labels["semantic"])):
            (tmp_path / part).mkdir(exist_ok=True)
            (tmp_path / part / file.path).write_bytes(file.bytes)
    (tmp_path / "val.txt").write_text("".join(f"{name}\n" for name in names))
    fields = {
        "root": str(tmp_path),
        "images": "JPEGImages/*.jpg",
        "labels": "SegmentationClass/*.png",
        "encoding": "palette",
        "classes": list(voc.SPEC.labels["semantic"].classes),
        "ignore": [255],
        "splits": ["val=val.txt"],
    }
    found = folder.parse("own-voc", fields)
    assert found.SPEC.labels == voc.SPEC.labels
    assert found.ids(tmp_path, "val") == names
    assert {name: found.sample(name, parts) for name, parts in found.read(tmp_path, names)} == published
