"""fcn new finds the pairs of a folder, proposes the row that reads them, and refuses before it writes."""

import io
import json
import re
from collections.abc import Callable
from dataclasses import fields
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
from pipeline import pairs, propose
from pipeline.convert.check_folder import check
from pipeline.core.png import PASCAL, png
from pipeline.datasets.own.coding import Row
from pipeline.miniature import leaves

Label = NDArray[np.uint8]
Pictures = list[tuple[bytes, Label]]
COUNT = 10
SQUARE = [5, 5, 30, 5, 30, 30, 5, 30]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    """JPEGs of leaves, and their labels as 0, 1 and, at edges, 255."""
    found = []
    for number in range(COUNT):
        image, label = leaves.litter(7, f"leaf_{number:02d}", 48)
        scratch = io.BytesIO()
        Image.fromarray(image).save(scratch, "JPEG")
        indices = np.select([label[..., 1] == 128, label[..., 0] == 255], [255, 1], 0).astype(np.uint8)
        found.append((scratch.getvalue(), indices))
    return found


def size(path: Path, *keys: str) -> dict[str, int]:
    with Image.open(path) as image:
        return dict(zip(keys, (image.height, image.width), strict=True))


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


def lay(pictures: Pictures, image: str, label: str, encode: Callable[[Label], bytes] = palette) -> None:
    """Write each pair below ``own``; {split} is train for seven of ten, val for three, and ids begin anew there."""
    for number, (photograph, indices) in enumerate(pictures):
        names = (
            {"split": "val", "id": f"leaf {number - 7}"} if number > 6 else {"split": "train", "id": f"leaf {number}"}
        )
        names |= {"n": f"leaf {number}", "city": f"city {number % 2}"}
        for pattern, data in ((image, photograph), (label, encode(indices))):
            write(Path("own", pattern.format(**names)), data)


def new(*more: str) -> dict[str, Any]:
    """The row that is proposed; it composes, and data check finds no fault."""
    done = CliRunner().invoke(main, ["new", "leaves", "own", *more])
    assert done.exit_code == 0, done.output
    assert "python -m ops.compose scale=leaves" in done.output
    with Image.open(".sheets/leaves.png") as sheet:
        assert sheet.width > 1000
    Path("params.yaml").write_text(compose.composed(Path.cwd(), ["scale=leaves"]))
    checked = CliRunner().invoke(main, ["data", "check", "leaves"])
    assert checked.exit_code == 0, checked.output
    assert re.search(
        r"leaves-fcn8s takes for 48×\d+: training on .* 0\.\d GB, evaluating 0\.6 GB, labelling 0\.6 GB", checked.output
    )
    row: dict[str, Any] = yaml.safe_load(Path("conf/scale/leaves.yaml").read_text())["folders"]["leaves"]
    return row


def proposed(*names: str, ignore: tuple[str, ...] = (), **patterns: str) -> dict[str, Any]:
    """The row, without what is its default; data check finds no fault with it."""
    found = pairs.find("leaves", Path("own"), **patterns)
    row = propose.row(found, propose.look(found), names, ignore)
    problems, _ = check("leaves", row)
    assert not problems
    defaults = {each.name: each.default for each in fields(Row)}
    plain = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    return {key: value for key, value in row.items() if plain[key] != defaults[key]}


@pytest.mark.parametrize(
    ("image", "label", "images", "labels"),
    [
        ("images/{n}.jpg", "masks/{n}.png", None, "masks/*"),
        ("images/{n}.JPG", "labels/{n}.png", None, None),
        ("JPEGImages/{n}.jpg", "SegmentationClass/{n}.png", "JPEGImages/*", "SegmentationClass/*"),
        ("{n}.jpg", "{n}_mask.png", "*.jpg", "{id}_mask.png"),
        ("{n}.JPG", "{n}.png", "*.jpg", "*.png"),
        ("{n}.jpg", "masks/{n}.png", "*", "masks/*"),
        ("first of all/{n}_rgb.jpg", "truth/gt_{n}.png", "first of all/{id}_rgb.jpg", "truth/gt_{id}.png"),
        ("2024/photos/{n}.jpeg", "2024/annotations/{n}-seg.png", "2024/photos/*", "2024/annotations/{id}-seg.png"),
        ("leaf_images/{n}.jpg", "leaf_masks/{n}.png", "leaf_images/*", "leaf_masks/*"),
        ("images/{n}.jpg", "annotations/trimaps/{n}.png", None, "annotations/trimaps/*"),
    ],
)
def test_pairs_are_found_where_tools_put_them(
    own: Path, pictures: Pictures, image: str, label: str, images: str | None, labels: str | None
) -> None:
    lay(pictures, image, label)
    row = proposed()
    assert (row.get("images"), row.get("labels"), row.get("splits")) == (images, labels, None)
    assert (row["encoding"], row["classes"], row["ignore"]) == ("palette", ["background", "object"], [255])


def test_patterns_say_what_names_do_not(own: Path, pictures: Pictures) -> None:
    lay(pictures, "a/b/{n}_left.jpg", "c/{n}_truth.png")
    row = proposed(images="a/b/{id}_left.jpg", labels="c/{id}_truth.png")
    assert (row["images"], row["labels"]) == ("a/b/{id}_left.jpg", "c/{id}_truth.png")


@pytest.mark.parametrize(
    ("image", "label", "images", "labels", "split"),
    [
        ("{split}/{id}.jpg", "{split}annot/{id}.png", "{split}/*", "{split}annot/*", "{}"),
        ("{split}/{id}.jpg", "{split}_labels/{id}_L.png", "{split}/*", "{split}_labels/{id}_L.png", "{}"),
        ("images/{split}/{id}.jpg", "labels/{split}/{id}.png", "images/{split}/*", "labels/{split}/*", "images/{}"),
        ("img_dir/{split}/{n}.jpg", "ann_dir/{split}/{n}.png", "img_dir/{split}/*", "ann_dir/{split}/*", "img_dir/{}"),
        ("{split}/images/{id}.jpg", "{split}/masks/{id}.png", "{split}/images/*", "{split}/masks/*", "{}"),
        ("{split}/{id}.jpg", "{split}/{id}_mask.png", "{split}/*.jpg", "{split}/{id}_mask.png", "{}"),
        (
            "leftImg8bit/{split}/{city}/{id}_leftImg8bit.jpg", "gtFine/{split}/{city}/{id}_gtFine_labelIds.png",
            "leftImg8bit/{split}/*/{id}_leftImg8bit.jpg", "gtFine/{split}/*/{id}_gtFine_labelIds.png", "leftImg8bit/{}",
        ),
    ],
)  # fmt: skip
def test_folders_named_as_splits_are_the_splits(
    own: Path, pictures: Pictures, image: str, label: str, images: str, labels: str, split: str
) -> None:
    lay(pictures, image, label)
    for beside in ("color", "instanceIds") if "gtFine" in label else ():
        lay(pictures, image, label.replace("labelIds", beside), color)
    row = proposed()
    assert (row["images"], row["labels"]) == (images, labels)
    assert row["splits"] == [f"train={split.format('train')}", f"val={split.format('val')}"]


@pytest.mark.parametrize(
    ("image", "document", "images", "labels", "splits"),
    [
        ("{split}/{id}.jpg", "{split}/_annotations.coco.json", "{split}/*.jpg", "{split}/_annotations.coco.json", "{}"),
        (
            "{split}2017/{n}.jpg", "annotations/instances_{split}2017.json",
            "{split}2017/*.jpg", "annotations/instances_{split}2017.json", "{}2017",
        ),
    ],
)  # fmt: skip
def test_coco_lists_its_images(
    own: Path, pictures: Pictures, image: str, document: str, images: str, labels: str, splits: str
) -> None:
    lay(pictures, image, "other/{n}.txt")
    for split in ("train", "val"):
        listed = [path for path in Path("own").rglob("*.jpg") if split in str(path)]
        write(Path("own", document.format(split=split)), {
            "images": [
                {"id": at, "file_name": path.name, **size(path, "height", "width")} for at, path in enumerate(listed)
            ],
            "annotations": [{"image_id": at, "category_id": 3, "segmentation": [SQUARE]} for at in range(len(listed))],
            "categories": [{"id": 1, "name": "plants"}, {"id": 3, "name": "leaf"}],
        })  # fmt: skip
    row = proposed()
    assert (row["images"], row["labels"], row["encoding"]) == (images, labels, "coco")
    assert row["classes"] == ["background", "leaf"]
    assert row["splits"] == [f"{split}={splits.format(split)}" for split in ("train", "val")]


@pytest.mark.parametrize(("folder", "images"), [("images", "images/*.jpg"), ("labels", None)])
def test_labelme_has_a_file_for_each_image(own: Path, pictures: Pictures, folder: str, images: str | None) -> None:
    lay(pictures, "images/{n}.jpg", "notes/{n}.txt")
    for number in range(COUNT):
        shapes = [{"label": "leaf" if number else "stem", "points": [[5, 5], [30, 5], [30, 30]]}]
        sides = size(Path(f"own/images/leaf {number}.jpg"), "imageHeight", "imageWidth")
        document = {"shapes": shapes, "imagePath": f"leaf {number}.jpg", **sides}
        write(Path(f"own/{folder}/leaf {number}.json"), document)
    row = proposed()
    assert (row.get("images"), row["labels"], row["encoding"]) == (images, f"{folder}/*.json", "labelme")
    assert row["classes"] == ["background", "leaf", "stem"]


@pytest.mark.parametrize("pattern", ["masks/{id}_{class}.png", "masks/{class}/*"])
def test_masks_of_a_class_each(own: Path, pictures: Pictures, pattern: str) -> None:
    for kind in ("leaf", "tree trunk"):
        path = pattern.replace("{class}", kind).replace("*", "{n}.png").replace("{id}", "{n}")
        lay(pictures, "images/{n}.jpg", path, binary)
    row = proposed()
    assert row == proposed(images="images/*", labels=pattern)
    assert (row["labels"], row["encoding"]) == (pattern, "masks")
    assert row["classes"] == ["background", "leaf", "tree trunk"]


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("{v}TP_{n:06d}", "{{group}}_*"),
        ("video{v}-f{n:04d}", "{{group}}-*"),
        ("{v}/{n:05d}", "{{group}}/*"),
        ("{t}_{n}", ""),
    ],
)
def test_frames_of_a_video_come_into_one_split(own: Path, pictures: Pictures, name: str, group: str) -> None:
    """But oak_1, oak_2, elm_1 are no videos: each kind of tree should be in both splits."""
    for place, (image, label) in enumerate(pictures):
        stem = name.format(v=place // 4, t=["oak", "elm", "ash"][place // 4], n=30 * (place % 4))
        for path, data in ((f"images/{stem}.jpg", image), (f"masks/{stem}.png", palette(label))):
            write(Path("own", path), data)
    assert proposed().get("group", "") == group.format()


def test_what_is_not_used_is_counted(own: Path, pictures: Pictures) -> None:
    lay(pictures, "images/{n}.jpg", "masks/{n}.png")
    for name in ("a.txt", "b.txt", "c.csv"):
        write(Path("own", name), b"")
    assert pairs.find("leaves", Path("own")).told == ["not used: 2 .txt (a.txt, …), 1 .csv (c.csv)"]


def test_the_lists_of_voc_are_the_splits_and_say_which_images_are_labelled(own: Path, pictures: Pictures) -> None:
    lay(pictures, "JPEGImages/{n}.jpg", "SegmentationClass/{n}.png")
    Path("own/JPEGImages/other.jpg").write_bytes(pictures[0][0])
    lists = Path("own/ImageSets/Segmentation")
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("leaf 0\nleaf 1\n")
    (lists / "val.txt").write_text("leaf 2\n")
    assert proposed()["splits"] == [f"{name}=ImageSets/Segmentation/{name}.txt" for name in ("train", "val")]


@pytest.mark.parametrize(
    ("encode", "more", "expected"),
    [
        (palette, (), {"encoding": "palette", "classes": ["background", "object"], "ignore": [255]}),
        (grey, ("soil", "leaf"), {"classes": ["soil", "leaf"], "ignore": [255]}),
        (binary, (), {"classes": ["background=0", "object=255"]}),
        (binary, ("soil", "leaf"), {"classes": ["soil=0", "leaf=255"]}),
        (
            color,
            (),
            {"encoding": "color", "classes": ["background=#000000", "object=#ff0000"], "ignore": ["#e0e0c0"]},
        ),
        (
            color,
            ("soil=#000000", "leaf=#ff0000|#e0e0c0"),
            {"encoding": "color", "classes": ["soil=#000000", "leaf=#ff0000|#e0e0c0"]},
        ),
        (renumbered, (), {"encoding": "color", "classes": ["background=#000000", "object=#ff0000"]}),
        (bits, (), {"classes": ["background", "object"]}),
        (deep, (), {"classes": ["background", "object"], "ignore": [65535]}),
        (others, (), {"classes": ["class_0=10", "class_1=80"]}),
    ],
)
def test_classes_are_what_labels_hold(
    own: Path,
    pictures: Pictures,
    encode: Callable[[Label], bytes],
    more: tuple[str, ...],
    expected: dict[str, Any],
) -> None:
    lay(pictures, "images/{n}.jpg", "labels/{n}.png", encode)
    assert proposed(*more) == {"root": "own", **expected}


@pytest.mark.parametrize(("weights", "iterations"), [("imagenet", 2000), ("miniature", 400)])
def test_a_recipe_says_what_differs_and_params_say_all(
    conf_alone: Path, pictures: Pictures, weights: str, iterations: int
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
    conf_alone: Path, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
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
    pictures: Pictures,
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


def test_an_image_without_its_label_is_named(conf_alone: Path, pictures: Pictures) -> None:
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
