"""A user's own folder becomes a dataset, whatever the labels' encoding, or is refused by file and pixel."""

from __future__ import annotations

import io
import os
import re
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.convert.check_folder import check
from pipeline.core.types import Encoded, Refusal
from pipeline.datasets.own import folder, splits
from tests.datasets.world import COLORS, SCENE, encoded, lay, pixels, put, row

VALUES = {"encoding": "index", "classes": ["a", "b"], "ignore": []}


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scenes here have a dozen pixels, so that every one can be said."""
    monkeypatch.setattr(folder, "LEAST", 1)


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


def ids(fields: Mapping[str, Any], split: str = "train") -> list[str]:
    return folder.parse("leaves", fields).ids(Path(fields["root"]), split)


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


def deep_png(bits: int = 16) -> bytes:
    """A black 4×3 RGB PNG of 16 bits a channel, which Pillow cannot write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    lines = zlib.compress((b"\0" + bytes(4 * 3 * bits // 8)) * 3)
    header = struct.pack(">IIBBBBB", 4, 3, bits, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


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
        ("color", "images/x.png", deep_png(8)[:45], {}, "does not decode"),
        ("color", "images/x.png", np.zeros((3, 4), np.uint16), {}, "has 16 bits a channel: save it with 8"),
        ("color", "images/x.png", deep_png(), {}, "has 16 bits a channel"),  # Pillow drops the lower bits unasked
        ("color", "images/x.tif", np.zeros((3, 4), np.uint16), {}, "has 16 bits a channel"),
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


def test_lists_give_files_and_their_ids(tmp_path: Path) -> None:
    lay(tmp_path, "a", "two words", "c")
    (tmp_path / "images.txt").write_text("\ufeffone images/two words.png\r\n\r\nimages/c.png\r\n", encoding="utf-8")
    (tmp_path / "labels.txt").write_text("one\tlabels/a.png\nc labels/two words.png\n")
    fields = row(tmp_path, images="@images.txt", labels="@labels.txt", splits=["train=1"])
    found = folder.parse("leaves", fields)
    assert found.ids(tmp_path, "train") == ["c", "one"]
    ((_, parts),) = found.read(tmp_path, ["one"])
    assert [Path(file.path).name for file in parts.values()] == ["two words.png", "a.png"]


def test_what_is_too_small_for_any_net_is_refused_with_the_least_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    for name, shape in {"a": (5, 900), "b": (900, 31), "c": (32, 32)}.items():
        put(tmp_path / f"images/{name}.png", np.zeros((*shape, 3), np.uint8))
        put(tmp_path / f"labels/{name}.png", np.eye(*shape, dtype=np.uint8))
    fields = {"root": str(tmp_path), "classes": ["soil", "leaf"], "splits": ["all=1"]}
    told = "(height×width), and nets take at least 32×32: enlarge it and its label, or leave both out"
    assert check("leaves", fields)[0] == [
        f"{tmp_path}/images/a.png is 5×900 {told}",
        f"{tmp_path}/images/b.png is 900×31 {told}",
    ]


def test_endings_match_in_capitals_too_and_what_is_passed_over_is_counted_by_reason(tmp_path: Path) -> None:
    lay(tmp_path, "a", "b", "c")
    for kind in ("images", "labels"):
        (tmp_path / f"{kind}/a.png").rename(tmp_path / f"{kind}/a.PNG")
        (tmp_path / kind / "Thumbs.db").touch()
    (tmp_path / "images/._b.png").touch()
    (tmp_path / "images/deep").mkdir()
    (tmp_path / "all.txt").write_text("a\nb\n")
    put(tmp_path / "labels/d.png", COLORS[SCENE])
    fields = row(tmp_path, images="images/*.png", labels="labels/{id}.png", splits=["all=all.txt"])
    assert ids(fields, "all") == ["a", "b"]
    assert check("leaves", fields)[1][1] == (
        "not used: hidden: 1 (images/._b.png); of another name: 2 (images/Thumbs.db, …); "
        "images in no split: 1 (images/c.png); labels without an image: 1 (labels/d.png)"
    )
    found = folder.parse("leaves", fields | {"images": "images/**/*.png"}).survey(tmp_path)
    assert found.unused.startswith("hidden: 1 (images/._b.png); of another name: 2 ")


def test_a_link_to_nowhere_and_a_name_with_what_nobody_sees_are_told(tmp_path: Path) -> None:
    lay(tmp_path, "a", "b")
    (tmp_path / "images/a.png").unlink()
    (tmp_path / "images/a.png").symlink_to("/mnt/gone/a.png")
    link = r"images/a\.png is a link to /mnt/gone/a\.png, which is not here: mount its disk, fetch it \(git annex get, "
    with pytest.raises(Refusal, match=link):
        ids(row(tmp_path))
    for name in "ab":
        for kind in ("images", "labels"):
            (tmp_path / f"{kind}/{name}.png").rename(tmp_path / kind / f"{name}\u202fPM\u00a0.png")
    (tmp_path / "images/a\u202fPM\u00a0.png").unlink()
    with pytest.raises(
        Refusal, match=r"images/b\\u202fPM\\xa0\.png would have the id 'b\\u202fPM\\xa0': an id has nei"
    ):
        ids(row(tmp_path))


LISTS = {"splits": ["train=train.txt", "val=val.txt"]}


@pytest.mark.parametrize(
    ("files", "changes", "told"),
    [
        ({"train.txt": "a\nb", "val.txt": "b\na"}, LISTS, r"train\.txt and .*val\.txt both hold a and 1 more: "),
        ({"train.txt": "a\nb\na", "val.txt": "c"}, LISTS, r"train\.txt lists a twice: each id stands once in a split"),
        ({"train.txt": "leaf12", "val.txt": "a"}, LISTS, r"lists leaf12, .* no image: did you mean 'leaf_12'\?"),
        ({"train.txt": "zzz", "val.txt": "a"}, LISTS, r"lists zzz, of which there is no image: take it off the list"),
        ({"train.txt": "lone", "val.txt": "a"}, LISTS, r"images/lone\.png has no label lone in labels/\*: add it, or"),
        ({"train.txt": "\n\n", "val.txt": "a"}, LISTS, r"train\.txt is empty: write one entry a line, or take it out"),
        ({}, LISTS, r"train\.txt is missing: folders\.leaves\.splits names it as a text file"),
        ({}, {"splits": ["train=1"]}, r"images/lone\.png has no label lone in labels/\*: add it, or"),
        ({}, {"images": "images/[!b]*"}, r"labels/b\.png has no image b in .* \(the first of 2 such problems\)"),
        ({}, {"splits": ["train=0.99", "val=0.0001"]}, "splits gives val none of the images: raise its share"),
        ({}, {"root": "nowhere"}, r"nowhere is no folder: put the data there, or correct folders\.leaves\.root"),
        ({}, {"images": "images/*.jpg"}, r"images is 'images/\*\.jpg', which matches no file: .* holds images, labels"),
        ({}, {"images": "images/lone*"}, r"no image has a label, .* lone and labels a, b: where .* \{id\}"),
        ({"images/a.jpg": ""}, {}, r"images/a\.png and .*images/a\.jpg are both a: rename one"),
        ({}, {"images": "images/[]a]*.png"}, r"by which images/a\.png has no id: use"),
        ({}, {"images": "images/*.{jpg,png}"}, r"leaves\.images is .*: the only braces are one \{id\}"),
        ({}, {"images": "{id}_*.png"}, r"the only braces are one \{id\}"),
        ({"x": "a images/gone.png\na images/a.png"}, {"images": "@x"}, r"gone\.png is missing, but .*/x lists it"),
        ({"x": "../a images/a.png\nb images/b.png"}, {"images": "@x"}, r"a\.png would have the id '\.\./a': "),
        ({"x": "../a.png"}, {"images": "@x"}, r"/x names \.\./a\.png, outside the root: put the file into"),
        ({"x": "C:\\a.png"}, {"images": "@x"}, r"/x names .*a\.png, outside the root"),
        ({}, {"labels": "../*.png"}, r"folders\.leaves\.labels names \.\./\*\.png, outside the root"),
    ],
)  # fmt: skip
def test_names_that_cannot_be_meant_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], changes: dict[str, Any], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    lay(tmp_path, "a", "b", "c", "leaf_12")
    put(tmp_path / "images/lone.png", COLORS[SCENE])
    put(tmp_path / "images/deep/a.png", COLORS[SCENE])
    for name, text in files.items():
        (tmp_path / name).write_text(f"{text}\n")
    with pytest.raises(Refusal, match=told):
        ids(row(tmp_path, **changes))


def test_an_images_split_depends_on_its_id_alone_and_shares_sum_to_one_exactly() -> None:
    names = [f"image {number}" for number in range(2000)]
    rules = splits.parse("splits", ["train=0.7", "val=0.2", "test=0.1"])
    few, many = splits.shared_out(rules, names[:300]), splits.shared_out(rules, reversed(names))
    assert all(set(few[split]) <= set(many[split]) for split in rules)
    assert sorted(name for split in rules for name in many[split]) == sorted(names)
    assert [len(many[split]) / 2000 for split in rules] == pytest.approx([0.7, 0.2, 0.1], abs=0.03)
    assert float(splits.position("abc")) == pytest.approx(0xBA7816BF / 2**32)  # FIPS 180-2's example of SHA-256


@pytest.mark.parametrize(
    ("images", "labels", "paths", "told"),
    [
        ("images/**/*.png", "labels/**/*.png", ["a/01", "b/01", "02"], ["02", "a/01", "b/01"]),
        ("images/*/*.png", "labels/*/{id}.png", ["a/01", "b/01"], ["a/01", "b/01"]),
        ("./images/[!b]/*.PNG", "labels/?/*.png", ["a/01", "b/01"], ["a/01"]),
        ("images/{id}/*.png", "labels/{id}/x.png", ["a/x", "b/x"], ["a", "b"]),
        ("images/*/x.png", "labels/*/x.png", ["a/x", "b/x"], ["a", "b"]),
        ("images/x.png", "labels/x.png", ["x"], ["x"]),
    ],
)
def test_what_wildcards_match_is_the_id_so_that_folders_are_part_of_it(
    tmp_path: Path, images: str, labels: str, paths: list[str], told: list[str]
) -> None:
    lay(tmp_path, *paths)
    (tmp_path / "all.txt").write_text("\n".join(told))
    found = folder.parse("leaves", row(tmp_path, images=images, labels=labels, splits=["all=all.txt"]))
    assert found.ids(tmp_path, "all") == told
    for name, parts in found.read(tmp_path, told):
        assert found.sample(name, parts).id == name


def test_folders_are_splits(tmp_path: Path) -> None:
    lay(tmp_path, "train/01", "train/night/01", "val/01", "trainee/02")
    fields = row(
        tmp_path, images="images/**/*.png", labels="labels/**/*.png", splits=["train=images/train", "val=images/val"]
    )
    assert (ids(fields), ids(fields, "val")) == (["train/01", "train/night/01"], ["val/01"])
    assert check("leaves", fields)[1][:2] == [
        "leaves: train 2, val 1 of 4 images",
        "not used: images in no split: 1 (images/trainee/02.png)",
    ]
    fields["splits"] = ["train=images/train", "val=images"]
    with pytest.raises(Refusal, match=r"images/train and .*images both hold train/01 and 1 more: an image belongs"):
        ids(fields)
    (tmp_path / "empty").mkdir()
    with pytest.raises(Refusal, match=r"splits names the folder .*empty, in which images finds none: correct one"):
        ids(fields | {"splits": ["val=empty"]})


def test_images_of_one_group_share_a_split(tmp_path: Path) -> None:
    names = [f"cam_{video}_{frame:02d}" for video in range(12) for frame in range(3)]
    lay(tmp_path, *names)
    fields = row(tmp_path, group="{group}_*")
    train, val = ids(fields), ids(fields, "val")
    assert sorted(train + val) == sorted(names) and len(train) in range(3, 34)
    assert not {name[:-3] for name in train} & {name[:-3] for name in val}
    assert {name[:-3] for name in train} == {f"cam_{n}" for n in range(12) if splits.position(f"cam_{n}") < 0.5}
    (tmp_path / "train.txt").write_text("cam_1_00\n")
    (tmp_path / "val.txt").write_text("cam_1_01\n")
    apart = r"cam_1_00 of train and cam_1_01 of val are of one group, cam_1: put them into one split"
    cases: list[tuple[dict[str, Any], str]] = [
        (LISTS, apart),
        ({"group": "{group}/*"}, r"the id cam_0_00 does not fit folders\.leaves\.group, '\{group\}/\*': rename it, or"),
        ({"group": "cam_*"}, r"leaves\.group is 'cam_\*': write one \{group\} and what follows or precedes it"),
        ({"group": "{group}[z-a]"}, r"leaves\.group is .*, of which \[\] is not understood"),
        ({"group": "{group}"}, r"leaves\.group is '\{group\}': write one"),
    ]
    for changes, told in cases:
        with pytest.raises(Refusal, match=told):
            ids(fields | changes)


def test_lists_choose_and_the_rest_is_left_alone(tmp_path: Path) -> None:
    lay(tmp_path, "a", "b", "Bla\u0308tter two")  # as macOS writes ä
    put(tmp_path / "images/unlabelled.png", COLORS[SCENE])
    put(tmp_path / "labels/imageless.png", COLORS[SCENE])
    (tmp_path / "train.txt").write_text("Bl\u00e4tter two\nimages/b.png 1 extra\n", encoding="utf-8")
    (tmp_path / "val.txt").write_text("a\n")
    fields = row(tmp_path, splits=["train=train.txt", "val=val.txt"])
    assert ids(fields) == ["Bl\u00e4tter two", "b"]
    assert check("leaves", fields)[1][0] == "leaves: train 2, val 1 of 4 images"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"classes": ["soil=#000000"]}, r"classes has 1: a label has 2 to 254 classes, the background being one"),
        ({"encoding": "index", "classes": [f"c{i}" for i in range(255)]}, r"classes has 255: a label has 2 to 254"),
        ({"classes": ["a=#000000", "a=#000001"]}, r"classes names a 2 times: name each once"),
        ({"classes": ["a=#000000", "b=#00000A|#000000"]}, r"classes\[1\] and .*\[0\] both claim #000000: let it mean"),
        ({"classes": ["a=#000000", "b=#808080"]}, r"ignore\[0\] and .*classes\[1\] both claim #808080: let it mean"),
        ({"classes": ["a=#000000", "b"]}, r"classes\[1\] is 'b', yet others have colors: give all of them or none"),
        ({"classes": ["a=#000000", "b=7|#000001"]}, r"classes\[1\] is 'b=7\|#000001': with encoding color give it"),
        ({"classes": ["a=#000000", "b=#f00"]}, r"classes\[1\] is 'b=#f00', with '#f00', which is neither a value"),
        ({"classes": ["a=#000000", "=#ff0000"]}, r"classes\[1\] is '=#ff0000', with nothing before ="),
        ({"classes": ["a=#000000", "void=#ff0000"]}, r"classes\[1\] is named void, .* move it to folders\.leaves\."),
        ({"ignore": [None]}, r"ignore\[0\] is None: write a text, in quotes, .* \(# for a comment\)"),
        ({"ignore": [255]}, r"ignore\[0\] is '255': with encoding color give it colours"),
        ({"splits": ["train"]}, r"splits has 'train': write split=lists/file\.txt, split=images/folder, or "),
        ({"splits": ["train=0.5", "train=0.5"]}, r"splits has 'train=0\.5' beside another of that name"),
        ({"splits": ["train=0.5", "val=val.txt"]}, r"splits mixes lists or folders with shares"),
        ({"splits": ["train=0"]}, r"splits is train=0: let each share be above 0 and their sum 1 at most"),
        (VALUES | {"classes": ["a=1", "b"]}, r"classes\[1\] is 'b', yet others have values: give all of them or none"),
        (
            VALUES | {"classes": ["a=1", "b=65536"]},
            r"classes\[1\] is 'b=65536', with '65536', which is neither a value",
        ),
        (VALUES | {"classes": ["a=#010101|#020202", "b=#03f303"]}, r"classes\[0\] .* a class one colour to show it in"),
        (VALUES | {"ignore": ["#808080"]}, r"ignore\[0\] is '#808080': with encoding index give it values \(0–65535\)"),
        (VALUES | {"ignore": [-1]}, r"ignore\[0\] is '-1', with '-1', which is neither a value"),
    ],
)
def test_a_row_that_cannot_be_meant_is_refused(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(Refusal, match=told):
        folder.parse("leaves", row(tmp_path, **changes))


def test_check_gathers_every_problem_and_ids_do_not_care_for_pixels(tmp_path: Path) -> None:
    lay(tmp_path, "a", "b", "c", "d")
    put(tmp_path / "images/e.png", COLORS[SCENE])
    put(tmp_path / "labels/a.png", SCENE)
    put(tmp_path / "images/b.png", np.zeros((9, 9, 3), np.uint8))
    (tmp_path / "labels/d.png").write_bytes(b"")
    fields = row(tmp_path, splits=["train=1"])
    problems, facts = check("leaves", fields)
    assert facts == []
    assert [line.removeprefix(f"{tmp_path}/")[:22] for line in problems] == [
        "images/e.png has no la",
        "labels/a.png is of mod",
        "images/b.png is 9×9 (h",
        "labels/d.png is no ima",
    ]
    put(tmp_path / "labels/e.png", COLORS[SCENE])
    assert ids(fields) == list("abcde")


def test_check_of_sound_data_tells_counts_sizes_and_shares(tmp_path: Path) -> None:
    lay(tmp_path, "a", "b")
    put(tmp_path / "images/b.png", np.zeros((1, 2, 3), np.uint8))
    put(tmp_path / "labels/b.png", COLORS[np.array([[0, 1]])])
    (tmp_path / "train.txt").write_text("a\n")
    (tmp_path / "val.txt").write_text("b\n")
    assert check("leaves", row(tmp_path, splits=["train=train.txt", "val=val.txt"])) == (
        [],
        [
            "leaves: train 1, val 1 of 2 images",
            "height×width: 1×2 to 3×4",
            "soil  train 25.00 %  val 50.00 %",
            "leaf  train 25.00 %  val 50.00 %",
            "stem  train 25.00 %  val 0.00 %",
            "void  train 25.00 %  val 0.00 %",
        ],
    )


@pytest.mark.parametrize("name", ["a\nb", "a\u200bb", "x" * 61])
def test_a_class_s_name_is_short_and_seen(name: str) -> None:
    with pytest.raises(Refusal, match="at most 60 characters, all visible"):
        folder.parse("leaves", row(Path(), classes=[f"{name}=#000000", "b=#ffffff"]))


def test_a_share_of_many_digits_is_not_computed_and_a_pipe_is_no_image(tmp_path: Path) -> None:
    assert splits.parse("x", ["train=1e999999999"]) == {"train": "1e999999999"}
    lay(tmp_path, "a")
    os.mkfifo(tmp_path / "images/b.png")
    assert check("leaves", row(tmp_path, splits=["train=1"]))[0] == [
        f"{tmp_path}/images/b.png is no ordinary file: take it away"
    ]
