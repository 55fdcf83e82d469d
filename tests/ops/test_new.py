"""fcn new finds the pairs of a folder, proposes the row that reads them, and refuses before it writes."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from ops import compose
from ops.fcn import main
from pipeline import propose
from pipeline.core.png import PASCAL, png
from pipeline.miniature import leaves

Label = NDArray[np.uint8]
COUNT = 10


@pytest.fixture(scope="module")
def pictures() -> list[tuple[bytes, Label]]:
    """JPEGs of leaves, and their labels as 0, 1 and, at edges, 255."""
    found = []
    for number in range(COUNT):
        image, label = leaves.litter(7, f"leaf_{number:02d}", 48)
        scratch = io.BytesIO()
        Image.fromarray(image).save(scratch, "JPEG")
        indices = np.select([label[..., 1] == 128, label[..., 0] == 255], [255, 1], 0).astype(np.uint8)
        found.append((scratch.getvalue(), indices))
    return found


def palette(label: Label) -> bytes:
    return png(label, PASCAL)


def binary(label: Label) -> bytes:
    return png(np.where(label == 1, 255, 0).astype(np.uint8))


def grey(label: Label) -> bytes:
    return png(label)


def bits(label: Label) -> bytes:
    scratch = io.BytesIO()
    Image.fromarray((label == 1).astype(np.uint8) * 255).convert("1").save(scratch, "PNG")
    return scratch.getvalue()


def deep(label: Label) -> bytes:
    return png(np.where(label == 255, 65535, label.astype(np.uint16)))


def renumbered(label: Label) -> bytes:
    """As programs save that reduce colours: a palette in an order of the file's own."""
    turned = bool(label.shape[0] % 2) ^ bool(label[0, 0] == 1) ^ bool(label.sum() % 2)
    colors = [(0, 0, 0), (255, 0, 0)][:: -1 if turned else 1]
    return png((label == 1).astype(np.uint8) ^ turned, [*colors, *PASCAL[2:]])


def others(label: Label) -> bytes:
    return png(np.array([10, 80], np.uint8)[label.clip(max=1)])


def color(label: Label) -> bytes:
    colors = np.zeros((256, 3), np.uint8)
    colors[[1, 255]] = (255, 0, 0), (224, 224, 192)
    return png(colors[label])


def lay(
    pictures: list[tuple[bytes, Label]], image: str, label: str, encode: Callable[[Label], bytes] = palette
) -> None:
    """Write each pair below ``own``; {split} is train for seven of ten, val for three, and ids begin anew there."""
    for number, (photograph, indices) in enumerate(pictures):
        names = (
            {"split": "val", "id": f"leaf {number - 7}"} if number > 6 else {"split": "train", "id": f"leaf {number}"}
        )
        names["n"] = f"leaf {number}"
        for pattern, data in ((image, photograph), (label, encode(indices))):
            path = Path("own", pattern.format(**names))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def new(*more: str) -> dict[str, Any]:
    """The row that is proposed; it composes, and data check finds no fault."""
    done = CliRunner().invoke(main, ["new", "leaves", "own", *more])
    assert done.exit_code == 0, done.output
    assert "python -m ops.compose scale=leaves" in done.output
    with Image.open(".sheets/leaves.png") as sheet:
        assert sheet.width > 1000
    compose.write(Path("params.yaml"), compose.composed(Path.cwd(), ["scale=leaves"]))
    checked = CliRunner().invoke(main, ["data", "check", "leaves"])
    assert checked.exit_code == 0, checked.output
    row: dict[str, Any] = yaml.safe_load(Path("conf/scale/leaves.yaml").read_text())["folders"]["leaves"]
    return row


SPLITS = [
    ("images/{split}/{id}.jpg", "annotations/{split}/{id}.png", "images/*/*", "annotations/*/*", "images/{}"),
    ("{split}/images/{id}.jpg", "{split}/masks/{id}.png", "*/images/*", "*/masks/*", "{}"),
]


@pytest.mark.parametrize(
    ("image", "label", "images", "labels"),
    [
        ("images/{n}.jpg", "masks/{n}.png", None, "masks/*"),
        ("images/{n}.JPG", "labels/{n}.png", None, None),
        ("JPEGImages/{n}.jpg", "SegmentationClass/{n}.png", "JPEGImages/*", "SegmentationClass/*"),
        ("{n}.jpg", "{n}_mask.png", "*.jpg", "{id}_mask.png"),
        ("{n}.JPG", "{n}.png", "*.jpg", "*.png"),
        ("first of all/{n}_rgb.jpg", "truth/gt_{n}.png", "first of all/{id}_rgb.jpg", "truth/gt_{id}.png"),
        ("2024/photos/{n}.jpeg", "2024/annotations/{n}-seg.png", "2024/photos/*", "2024/annotations/{id}-seg.png"),
    ],
)
def test_pairs_are_found_where_tools_put_them(
    conf_alone: Path,
    pictures: list[tuple[bytes, Label]],
    image: str,
    label: str,
    images: str | None,
    labels: str | None,
) -> None:
    lay(pictures, image, label)
    row = new()
    assert (row.get("images"), row.get("labels"), row.get("splits")) == (images, labels, None)
    assert (row["encoding"], row["classes"], row["ignore"]) == ("palette", ["background", "object"], [255])


def test_patterns_say_what_names_do_not(conf_alone: Path, pictures: list[tuple[bytes, Label]]) -> None:
    lay(pictures, "a/b/{n}_left.jpg", "c/{n}_truth.png")
    row = new("--images", "a/b/{id}_left.jpg", "--labels", "c/{id}_truth.png")
    assert (row["images"], row["labels"]) == ("a/b/{id}_left.jpg", "c/{id}_truth.png")


@pytest.mark.parametrize(("image", "label", "images", "labels", "split"), SPLITS)
def test_folders_named_as_splits_are_the_splits(
    conf_alone: Path, pictures: list[tuple[bytes, Label]], image: str, label: str, images: str, labels: str, split: str
) -> None:
    lay(pictures, image, label)
    row = new()
    assert (row["images"], row["labels"]) == (images, labels)
    assert row["splits"] == [f"train={split.format('train')}", f"val={split.format('val')}"]


def test_the_lists_of_voc_are_the_splits_and_say_which_images_are_labelled(
    conf_alone: Path, pictures: list[tuple[bytes, Label]]
) -> None:
    lay(pictures, "JPEGImages/{n}.jpg", "SegmentationClass/{n}.png")
    Path("own/JPEGImages/other.jpg").write_bytes(pictures[0][0])
    lists = Path("own/ImageSets/Segmentation")
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("leaf 0\nleaf 1\n")
    (lists / "val.txt").write_text("leaf 2\n")
    assert new()["splits"] == [f"{name}=ImageSets/Segmentation/{name}.txt" for name in ("train", "val")]


@pytest.mark.parametrize(
    ("encode", "more", "expected"),
    [
        (palette, (), {"encoding": "palette", "classes": ["background", "object"], "ignore": [255]}),
        (grey, ("--classes", "soil,leaf"), {"classes": ["soil", "leaf"], "ignore": [255]}),
        (binary, (), {"classes": ["background=0", "object=255"]}),
        (binary, ("--classes", "soil,leaf"), {"classes": ["soil=0", "leaf=255"]}),
        (
            color,
            (),
            {"encoding": "color", "classes": ["background=#000000", "object=#ff0000"], "ignore": ["#e0e0c0"]},
        ),
        (
            color,
            ("--classes", "soil=#000000,leaf=#ff0000|#e0e0c0", "--force"),
            {"encoding": "color", "classes": ["soil=#000000", "leaf=#ff0000|#e0e0c0"]},
        ),
        (renumbered, (), {"encoding": "color", "classes": ["background=#000000", "object=#ff0000"]}),
        (bits, (), {"classes": ["background", "object"]}),
        (deep, (), {"classes": ["background", "object"], "ignore": [65535]}),
        (others, (), {"classes": ["class_0=10", "class_1=80"]}),
    ],
)
def test_classes_are_what_labels_hold(
    conf_alone: Path,
    pictures: list[tuple[bytes, Label]],
    encode: Callable[[Label], bytes],
    more: tuple[str, ...],
    expected: dict[str, Any],
) -> None:
    lay(pictures, "images/{n}.jpg", "labels/{n}.png", encode)
    assert new(*more) == {"root": "own", **expected}


@pytest.mark.parametrize(("weights", "iterations"), [("imagenet", 2000), ("miniature", 400)])
def test_a_recipe_says_what_differs_and_params_say_all(
    conf_alone: Path, pictures: list[tuple[bytes, Label]], weights: str, iterations: int
) -> None:
    lay(pictures, "images/{n}.jpg", "masks/{n}.png", binary)
    new("--weights", weights)
    text = Path("conf/scale/leaves.yaml").read_text()
    assert text.count("\n", text.index("  leaves:"), text.index("bounds:")) <= 6
    said = yaml.safe_load(text)["recipes"]["leaves-fcn8s"]
    row = yaml.safe_load(Path("params.yaml").read_text())["recipes"]["leaves-fcn8s"]
    assert set(said) - {"solver"} == {"net", "data", "evaluate"}
    assert row["net"]["init"] == f"weights/{row['net']['backbone']}-fcn.safetensors"
    assert (row["data"], row["evaluate"]) == (
        {"shards": "leaves", "split": "train", "alter": "mirror"},
        {"shards": "leaves", "split": "val"},
    )
    assert (row["solver"]["reduction"], row["solver"]["iterations"]) == ("mean", iterations)


def test_large_pictures_are_trained_on_by_windows(
    conf_alone: Path, pictures: list[tuple[bytes, Label]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(propose, "LARGE", 1000)
    lay(pictures, "images/{n}.jpg", "masks/{n}.png", binary)
    new()
    data = yaml.safe_load(Path("params.yaml").read_text())["recipes"]["leaves-fcn8s"]["data"]
    assert data == {"shards": "leaves", "split": "train", "alter": "mirror", "crop": 512}


def soft(label: Label) -> bytes:
    return png(
        np.asarray(
            Image.fromarray((label == 1).astype(np.uint8) * 255).resize((64, 64), 2).resize(label.shape[::-1], 2)
        )
    )


def jpeg(label: Label) -> bytes:
    scratch = io.BytesIO()
    Image.fromarray(label).save(scratch, "JPEG")
    return scratch.getvalue()


@pytest.mark.parametrize(
    ("image", "label", "encode", "more", "reason"),
    [
        ("pics/{n}.jpg", "elsewhere/{n}_{split}.png", palette, (), "has no label"),
        ("{n}.png", "{n}_mask.png", palette, (), "must move into a folder of their own"),
        ("images/{n}.jpg", "notes/{n}.txt", palette, (), "looked for images/ with masks/"),
        ("images/{n}.jpg", "masks/{n}.png", jpeg, (), "is a JPEG, which blurs labels"),
        ("images/{n}.jpg", "masks/{n}.png", soft, (), "their edges are soft"),
        ("images/{n}.jpg", "masks/{n}.png", lambda label: png(label * 0), (), "hold 0 alone"),
        (
            "images/{n}.jpg",
            "masks/{n}.png",
            binary,
            ("--classes", "a,b,c"),
            "has 3 names, but labels hold 2 values: 0, 255",
        ),
        ("images/{n}.jpg", "masks/{n}.png", binary, ("--images", "*.jpg"), "give both --images and --labels"),
        ("images/{n}.jpg", "masks/{n}.png", binary, ("--images", "*.gif", "--labels", "*"), "matches no file"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line_and_nothing_is_written(
    conf_alone: Path,
    pictures: list[tuple[bytes, Label]],
    image: str,
    label: str,
    encode: Callable[[Label], bytes],
    more: tuple[str, ...],
    reason: str,
) -> None:
    lay(pictures, image, label, encode)
    refused("leaves", "own", *more, reason=reason)


@pytest.mark.parametrize(("name", "folder", "reason"), [
    ("my leaves", "own", "names no data set"),
    ("../leaves", "own", "names no data set"),
    ("2024", "own", "names no data set"),
    ("yes", "own", "names no data set"),
    ("blätter", "own", "names no data set"),
    ("paper", "own", "write over it with --force"),
    ("leaves", "nowhere", "nowhere is no folder"),
    ("leaves", "conf", "no picture is there"),
])  # fmt: skip
def test_a_name_or_folder_that_is_none_is_refused(conf_alone: Path, name: str, folder: str, reason: str) -> None:
    refused(name, folder, reason=reason)


def test_an_image_without_its_label_is_named(conf_alone: Path, pictures: list[tuple[bytes, Label]]) -> None:
    lay(pictures, "images/{n}.jpg", "masks/{n}.png")
    Path("own/masks/leaf 3.png").unlink()
    refused("leaves", "own", reason="own/images/leaf 3.jpg has no label")


def refused(*arguments: str, reason: str) -> None:
    before = sorted(Path("conf/scale").iterdir()), Path("conf/scale/paper.yaml").read_bytes()
    done = CliRunner().invoke(
        main, ["new", "--", *arguments[:2], *arguments[2:]] if len(arguments) == 2 else ["new", *arguments]
    )
    assert (done.exit_code, done.output.count("\n")) == (1, 1), done.output
    assert reason in done.output
    assert (sorted(Path("conf/scale").iterdir()), Path("conf/scale/paper.yaml").read_bytes()) == before
    assert not Path(".sheets").exists()
