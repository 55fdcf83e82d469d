"""Labels of 1 to 16 bits, a mask a class, COCO's and labelme's JSON give the scene that was drawn, or are refused."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.convert.check_folder import check
from pipeline.core.types import Refusal
from pipeline.datasets.own import folder
from tests.datasets.world import COLORS, SCENE, pixels, put, raw_png, row

STORED = np.where(SCENE == 3, 255, SCENE)


def named(root: Path, encoding: str, **changes: Any) -> dict[str, Any]:
    fields = {"encoding": encoding, "classes": ["soil", "leaf", "stem"], "ignore": ["edge"], "splits": ["all=1"]}
    return row(root, **{**fields, **changes})


def label(fields: Mapping[str, Any], name: str = "a") -> np.ndarray:
    found = folder.parse("leaves", fields)
    ((_, parts),) = found.read(Path(fields["root"]), [name])
    return pixels(found.sample(name, parts).labels["semantic"])


def only(fields: Mapping[str, Any], told: str) -> None:
    """``check`` tells of one problem; ``told`` is a pattern."""
    try:
        problems, _ = check("leaves", fields)
    except Refusal as refusal:
        problems = [str(refusal)]
    assert len(problems) == 1 and re.search(told, problems[0]), problems


def photograph(root: Path, *names: str) -> None:
    for name in names or ("a",):
        put(root / f"images/{name}.png", np.full((*SCENE.shape, 3), 100, np.uint8))


def grey(bits: int) -> bytes:
    """SCENE as a grey PNG of 2 or 4 bits."""
    lines = (int("".join(f"{value:0{bits}b}" for value in line), 2).to_bytes(bits // 2, "big") for line in SCENE)
    return raw_png(4, 3, bits, 0, b"".join(b"\0" + line for line in lines))


@pytest.mark.parametrize(
    ("content", "classes", "ignore", "stored"),
    [
        (Image.fromarray(SCENE > 1), ["no", "yes"], [], SCENE > 1),
        (grey(2), ["soil", "leaf", "stem"], [3], STORED),
        (grey(4), ["soil", "leaf", "stem"], [3], STORED),
        (SCENE.astype(np.uint16) * 21845, ["soil=0", "leaf=21845", "stem=43690"], [65535], STORED),
        (SCENE.astype(np.uint16), ["soil", "leaf", "stem"], [3], STORED),
    ],
    ids=["1 bit", "2 bits", "4 bits", "16 bits", "16 bits of small values"],
)  # fmt: skip
def test_values_are_those_in_the_file_whatever_its_bits(
    tmp_path: Path, content: Any, classes: list[str], ignore: list[int], stored: np.ndarray
) -> None:
    photograph(tmp_path)
    path = put(tmp_path / "labels/a.png", SCENE)
    path.write_bytes(content) if isinstance(content, bytes) else put(path, content)
    fields = row(tmp_path, encoding="index", classes=classes, ignore=ignore, splits=["all=1"])
    np.testing.assert_array_equal(label(fields), stored)
    only(fields | {"classes": ["a=40000", "b=50000"]}, r"a\.png has value 0 at row 0, column 0: give it a class")


MASKS = {"leaf": SCENE == 1, "stem": SCENE == 2, "edge": SCENE == 3}


def masks(root: Path, pattern: str = "masks/a_{}.png") -> None:
    for place, (name, mask) in enumerate(MASKS.items()):
        kinds = (Image.fromarray(mask), np.dstack(3 * [mask.astype(np.uint8)]), mask.astype(np.uint16) * 65535)
        put(root / pattern.format(name), kinds[place])


@pytest.mark.parametrize("pattern", ["masks/{id}_{class}.png", "masks/{class}/{id}.png", "masks/{id}/{class}.PNG"])
def test_a_mask_a_class_in_files_of_several_kinds(tmp_path: Path, pattern: str) -> None:
    photograph(tmp_path)
    masks(tmp_path, pattern.replace("{id}", "a").replace("{class}", "{}"))
    np.testing.assert_array_equal(label(named(tmp_path, "masks", labels=pattern)), STORED)


def test_a_later_class_lies_over_an_earlier_and_names_may_hold_what_parts_them(tmp_path: Path) -> None:
    photograph(tmp_path, "a_b")
    for name, mask in {"leaf": SCENE > 0, "big_leaf": SCENE == 2, "edge": SCENE == 3}.items():
        put(tmp_path / f"masks/a_b_{name}.png", mask.astype(np.uint16) * 65535)
    classes = ["soil", "plant=leaf", "stem=big_leaf"]
    fields = named(tmp_path, "masks", labels="masks/{id}_{class}.png", classes=classes)
    np.testing.assert_array_equal(label(fields, "a_b"), STORED)


@pytest.mark.parametrize(
    ("file", "content", "changes", "told"),
    [
        ("masks/a_root.png", SCENE, {}, r"a_root\.png is a mask of root, which no class names: give it a class in"),
        ("masks/a_leaf.png", SCENE, {}, r"a_leaf\.png has value 1 at row 0, column 2, and 3 elsewhere: a mask"),
        ("masks/a_leaf.png", SCENE[:2] // 4, {}, r"a_stem\.png is 3×4 \(height×width\) but .*a_leaf\.png is 2×4: the"),
        ("masks/a_leaf.png", np.dstack(4 * [SCENE]), {}, r"a_leaf\.png is of mode RGBA, but .*: save the mask as grey"),
        ("masks/a_leaf.jpg", SCENE // 4, {"labels": "masks/{id}_{class}.*"}, r"a_leaf\.png and .*\.jpg are both a: "),
        ("masks/b_leaf.png", SCENE, {}, r"b_leaf\.png has no image b in images/\*: add it, or take the label out"),
        ("images/b.png", COLORS[SCENE], {}, r"b\.png has no label b in masks/\{id\}_\{class\}\.png: add it"),
        ("masks/a_edge.png", SCENE * 0 + 1, {}, r"a_.*\.png has no pixel of a class, all are void: leave it"),
        ("x", SCENE, {"labels": "masks/*.png"}, r"labels is 'masks/\*\.png': write \{class\} for the class's name"),
        ("x", SCENE, {"labels": "masks/*_{class}.png"}, r"the only braces are one \{id\} and one \{class\} amid plain"),
        ("x", SCENE, {"labels": "@x"}, r"is the list @x: with encoding masks write a pattern with "),
        ("x", SCENE, {"encoding": "index", "ignore": [], "labels": "{id}_{class}.png"}, "it only where the enc"),
    ],
)  # fmt: skip
def test_masks_that_cannot_be_meant(
    tmp_path: Path, file: str, content: np.ndarray, changes: dict[str, Any], told: str
) -> None:
    photograph(tmp_path)
    masks(tmp_path)
    put(tmp_path / file, content, format="PNG")
    only(named(tmp_path, "masks", labels="masks/{id}_{class}.png") | changes, told)


def runs(mask: np.ndarray) -> list[int]:
    """COCO's run lengths, by the definition."""
    counts, last = [0], False
    for value in mask.T.ravel().tolist():
        if value != last:
            counts.append(0)
            last = value
        counts[-1] += 1
    return counts


def box(x0: float, y0: float, x1: float, y1: float) -> list[float]:
    return [x0, y0, x1, y0, x1, y1, x0, y1]


def annotation(name: str, segmentation: Any, **more: Any) -> dict[str, Any]:
    place = ["leaf", "stem", "edge", "root"].index(name)
    return {"id": 7, "image_id": 5, "category_id": place + 1, "segmentation": segmentation, "iscrowd": 0, **more}


def coco(root: Path, *annotations: Any, path: str = "labels/coco.json", **changes: Any) -> None:
    names = ("leaf", "stem", "edge", "root")
    document = {
        "images": [{"id": 5, "file_name": "a.png", "height": 3, "width": 4}],
        "annotations": annotations,
        "categories": [{"id": place + 1, "name": name} for place, name in enumerate(names)],
        **changes,
    }
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(json.dumps(document))


SQUARES = (
    annotation("edge", [box(3, 0, 4, 3)]),
    annotation("leaf", [box(2, 0, 3, 3)]),
    annotation("stem", [box(1, 1, 2, 2), box(0, 2, 2, 3)]),
)
RUNS = {"counts": runs(SCENE == 2), "size": [3, 4]}
PACKED = {"counts": "21115", "size": [3, 4]}  # of pycocotools 2.0.11


@pytest.mark.parametrize(
    "annotations",
    [
        SQUARES,
        (*SQUARES[:2], annotation("stem", RUNS)),
        (*SQUARES[:2], annotation("stem", PACKED)),
        (annotation("stem", RUNS), annotation("leaf", [box(2, 0, 3, 3)]), annotation("edge", [box(3, -9, 99, 9)])),
        (*SQUARES[1:], annotation("root", [box(2, 0, 4, 3)], iscrowd=1)),
        SQUARES[::-1],
    ],
    ids=["polygons", "runs", "packed runs", "beyond the edge", "a crowd", "another order"],
)  # fmt: skip
def test_coco_gives_the_scene(tmp_path: Path, annotations: Sequence[Any]) -> None:
    photograph(tmp_path)
    coco(tmp_path, *annotations)
    np.testing.assert_array_equal(label(named(tmp_path, "coco")), STORED)
    coco(tmp_path)
    assert not label(named(tmp_path, "coco")).any(), "nothing is said of it: all is the first class"


def test_names_are_one_however_they_are_spelled_and_wherever_they_lay_once(tmp_path: Path) -> None:
    photograph(tmp_path, "Bla\u0308tter")  # as macOS writes ä
    for path in ("Bl\u00e4tter.png", "C:\\data\\Bl\u00e4tter.png", "/home/x/Bla\u0308tter.png"):
        coco(tmp_path, *SQUARES, images=2 * [{"id": 5, "file_name": path, "height": 3, "width": 4}])
        np.testing.assert_array_equal(label(named(tmp_path, "coco"), "Bl\u00e4tter"), STORED)
    put(tmp_path / "masks/Bla\u0308tter_Stra\u00dfe_u\u0308.png", MASKS["leaf"])
    fields = named(tmp_path, "masks", labels="masks/{id}_{class}.png", classes=["soil", "Stra\u00dfe_\u00fc"])
    np.testing.assert_array_equal(label(fields, "Bl\u00e4tter"), MASKS["leaf"])


def test_files_of_one_name_are_told_apart_by_folders(tmp_path: Path) -> None:
    photograph(tmp_path, "train/a", "val/a")
    for split, name in {"train": "leaf", "val": "stem"}.items():
        coco(tmp_path, annotation(name, [box(0, 0, 9, 9)]), path=f"labels/instances_{split}.json")
    fields = named(tmp_path, "coco", images="images/**/*.png", splits=["train=images/train", "val=images/val"])
    assert [int(label(fields, name).max()) for name in ("train/a", "val/a")] == [1, 2]
    assert check("leaves", fields)[0] == []
    (tmp_path / "labels/instances_val.json").rename(tmp_path / "labels/more.json")
    told = check("leaves", fields)[0][0]
    assert re.search(r"more\.json lists a\.png, which may be .*train/a\.png or .*val/a\.png: write more", told)


@pytest.mark.parametrize(
    ("annotations", "changes", "told"),
    [
        ([annotation("root", [box(0, 0, 1, 1)])], {}, r"coco\.json \(a\.png\): annotations\[0\] is of 'root', which"),
        ([annotation("leaf", [])], {}, r"annotations\[0\] has no outline, a box alone: draw one, or take it out"),
        ([annotation("leaf", [[0, 0, 1, 1]])], {}, r"annotations\[0\] has 2 points, or one that is no number"),
        ([annotation("leaf", [box(50, 0, 60, 3)])], {}, r"lies outside the image \(x 50 to 60, .* it is 3×4"),
        ([annotation("leaf", {"counts": [3, 4], "size": [3, 4]})], {}, r"has runs of 7 pixels, or one below 0, the"),
        ([annotation("leaf", {"counts": [12], "size": [4, 3]})], {}, r"is of size \[4, 3\] \(height, width\) in an im"),
        ([{**SQUARES[0], "image_id": 6}], {}, r"coco\.json is not COCO's at annotations\[0\] \(KeyError\(6\)\)"),
        ([], {"images": [{"id": 1, "file_name": "a.png"}]}, r"not COCO's at images\[0\] \(KeyError\('height'\)\)"),
        ([], {"categories": None}, r"coco\.json is not COCO's at its top \(TypeError"),
        ([], {"images": [{"id": 1, "file_name": "a.png", "height": 9, "width": 9}]}, r"is 3×4 .* \(a\.png\) is 9×9"),
        ([], {"images": [{"id": n, "file_name": f"x/{n}.png", "height": 3, "width": 4} for n in "ab"]}, "no image x/b"),
        ([], {"images": []}, r"no image has a label, images being named such as a and labels "),
    ],
)  # fmt: skip
def test_coco_that_cannot_be_meant(tmp_path: Path, annotations: list[Any], changes: dict[str, Any], told: str) -> None:
    photograph(tmp_path)
    coco(tmp_path, *annotations, **changes)
    only(named(tmp_path, "coco"), told)


def shape(name: str, *points: Any, kind: str | None = "polygon") -> dict[str, Any]:
    return {"label": name, "points": points, "shape_type": kind, "group_id": None, "flags": {}}


LABELME = (
    shape("leaf", (2, 0), (3, 3), kind="rectangle"),
    shape("edge", (3, 0), (4, 0), (4, 3), (3, 3)),
    shape("stem", (1.5, 1.5), (1.5, 2), kind="circle"),
    shape("stem", (0, 2), (2, 2), (2, 3), (0, 3), kind=None),
)


def labelme(root: Path, *shapes: Any, **changes: Any) -> None:
    document = {"shapes": shapes, "imagePath": "a.png", "imageData": None, "imageHeight": 3, "imageWidth": 4, **changes}
    (root / "labels").mkdir(exist_ok=True)
    (root / "labels/a.json").write_text(json.dumps(document))


def test_labelme_gives_the_scene(tmp_path: Path) -> None:
    photograph(tmp_path)
    labelme(tmp_path, *LABELME)
    np.testing.assert_array_equal(label(named(tmp_path, "labelme")), STORED)
    other = named(tmp_path, "labelme", classes=["soil", "Leaf", "stem"])
    only(other, r"shapes\[0\] is of 'leaf', .*did you mean 'Leaf'")
    other["classes"] = ["soil", "Leaf=leaf|leaves|#00ff00", "stem=stem|#0000ff"]
    only(other, r"classes\[0\] is 'soil', yet others have colors: give all of them or none")
    other["classes"][0] = "soil=#000000"
    np.testing.assert_array_equal(label(other), STORED)
    other["ignore"] = ["leaf"]
    only(other, r"ignore\[0\] and .*classes\[1\] both claim leaf: let it mean one thing")


@pytest.mark.parametrize(
    ("shapes", "changes", "told"),
    [
        ([shape("root", *LABELME[1]["points"])], {}, r"a\.json: shapes\[0\] is of 'root', which no class names: "),
        ([shape("leaf", (0, 0), (1, 1), kind="line")], {}, r"shapes\[0\] is not understood \(KeyError: 'line'\): "),
        ([shape("leaf", (0, 0), (1, float("nan")), (1, 1))], {}, r"shapes\[0\] has 3 points, or one that is no number"),
        ([shape("leaf", (90, 90), (91, 90), kind="circle")], {}, r"shapes\[0\] lies outside the image"),
        ([{"points": []}], {}, r"a\.json: shapes\[0\] is not understood \(KeyError: 'label'\)"),
        ([], {"imageHeight": None}, r"a\.json: the file is not understood \(TypeError"),
        ([], {"imageHeight": 4, "imageWidth": 3}, r"a\.png is 3×4 \(height×width\) but .*a\.json is 4×3: an image and"),
    ],
)  # fmt: skip
def test_labelme_that_cannot_be_meant(tmp_path: Path, shapes: list[Any], changes: dict[str, Any], told: str) -> None:
    photograph(tmp_path)
    labelme(tmp_path, *shapes, **changes)
    only(named(tmp_path, "labelme"), told)


@pytest.mark.parametrize("encoding", ["coco", "labelme"])
@pytest.mark.parametrize("content", [b"", b"[]", b'{"shapes": 3}', b"\xff\xd8"])
def test_what_is_no_such_json_is_refused_by_its_name(tmp_path: Path, encoding: str, content: bytes) -> None:
    photograph(tmp_path)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/a.json").write_bytes(content)
    only(named(tmp_path, encoding), r"labels/a\.json")
