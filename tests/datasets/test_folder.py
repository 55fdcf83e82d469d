"""A user's own folder becomes a dataset by the names of its files, or is refused in a line."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.convert.check_folder import check
from pipeline.core.types import Refusal
from pipeline.datasets.own import folder, splits
from tests.datasets.world import COLORS, SCENE, lay, put, row

VALUES = {"encoding": "index", "classes": ["a", "b"], "ignore": []}


def ids(fields: Mapping[str, Any], split: str = "train") -> list[str]:
    return folder.parse("leaves", fields).ids(Path(fields["root"]), split)


def test_lists_give_files_and_their_ids(tmp_path: Path) -> None:
    lay(tmp_path, "a", "two words", "c")
    (tmp_path / "images.txt").write_text("\ufeffone images/two words.png\r\n\r\nimages/c.png\r\n", encoding="utf-8")
    (tmp_path / "labels.txt").write_text("one\tlabels/a.png\nc labels/two words.png\n")
    fields = row(tmp_path, images="@images.txt", labels="@labels.txt", splits=["train=1"])
    found = folder.parse("leaves", fields)
    assert found.ids(tmp_path, "train") == ["c", "one"]
    ((_, parts),) = found.read(tmp_path, ["one"])
    assert [Path(file.path).name for file in parts.values()] == ["two words.png", "a.png"]


def test_what_is_too_small_for_any_net_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    unseen = r"images/b\\u202fPM\\xa0\.png would have the id 'b\\u202fPM\\xa0': an id has nei"
    with pytest.raises(Refusal, match=unseen):
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
def test_what_wildcards_match_is_the_id(
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
    with pytest.raises(Refusal, match=apart):
        ids(fields | LISTS)
    patterns = {
        "{group}/*": r"the id cam_0_00 does not fit folders\.leaves\.group, '\{group\}/\*': rename it, or",
        "cam_*": r"leaves\.group is 'cam_\*': write one \{group\} and what follows or precedes it",
        "{group}[z-a]": r"leaves\.group is .*, of which \[\] is not understood",
    }
    for pattern, told in patterns.items():
        with pytest.raises(Refusal, match=told):
            ids(fields | {"group": pattern})


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
        (VALUES | {"classes": ["a=#010101|#020202", "b=#03f303"]}, r"classes\[0\] .* a class one colour to show it in"),
        (VALUES | {"ignore": ["#808080"]}, r"ignore\[0\] is '#808080': with encoding index give it values \(0–65535\)"),
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
