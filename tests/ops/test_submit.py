"""``fcn submit`` packs what PASCAL's server takes, to the byte, and tells what it would not take."""

import io
import subprocess
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from pipeline.core.png import PASCAL, png
from pipeline.core.types import DatasetSpec
from pipeline.datasets.shared.voc_classes import LABEL
from pipeline.fcn.net import build
from pipeline.miniature.shared import archive
from pipeline.serving.segment import Segmenter
from pipeline.submission.archive import competition_of
from tests.closure import ROOT
from tests.launch import fcn
from tests.ops.test_predict import trained
from tests.serving.world import labels, photograph, spec
from tests.split import encoded, written

pytestmark = pytest.mark.usefixtures("flags")

ARCHIVE = "VOC2012test.tar"
IDS = ("2008_000006", "2008_000011", "2010_000003")
PLACE = "results/VOC2012/Segmentation/comp6_test_cls"
VOC = spec(stride=8, heads={"semantic": LABEL})


def size(name: str) -> tuple[int, int]:
    return 40 + IDS.index(name), 50


def stored(image: Image.Image, form: str = "PNG", **how: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **how)
    return file.getvalue()


def jpeg(name: str) -> bytes:
    """Turned by EXIF, which labels are not."""
    turned = Image.Exif()
    turned[0x0112] = 6
    return stored(Image.fromarray(photograph(*size(name), IDS.index(name))), "JPEG", exif=turned)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A trained recipe and VOC's test as its archive has it, more photographs than it lists; the working directory."""
    (tmp_path / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    trained(tmp_path, "voc-fcn8s", VOC)
    root = "VOCdevkit/VOC2012/"
    listed = (f"{root}ImageSets/Segmentation/test.txt", archive.lines(reversed(IDS)))
    photographs = [(f"{root}JPEGImages/{name}.jpg", jpeg(name)) for name in IDS]
    other = (f"{root}JPEGImages/2008_000001.jpg", b"of another task")
    archive.write_tar(tmp_path / ARCHIVE, [listed, *photographs, other])
    monkeypatch.chdir(tmp_path)
    return tmp_path


submit = partial(fcn, "submit")


def unpack(archive: str | Path, folder: str, *names: str) -> None:
    """By tar: tarfile's filter, whose absence newer Pythons warn of, came with 3.11.4."""
    Path(folder).mkdir(exist_ok=True)
    subprocess.run(["tar", "-xf", str(archive), "-C", folder, *names], check=True)


def test_a_test_split_without_labels_becomes_the_same_archive_from_its_tar_and_its_folder(world: Path) -> None:
    done = submit("voc-fcn8s", "--images", ARCHIVE, code=0)
    assert done.stdout == "wrote voc-fcn8s.tar.gz: 3 images of voc/test for comp6 (voc-fcn8s trains on sbd/train)\n"
    unpack(ARCHIVE, "unpacked")
    for images in ("unpacked", "unpacked/VOCdevkit", "unpacked/VOCdevkit/VOC2012"):
        assert submit("voc-fcn8s", "--images", images, "--out", "again.tgz").exit_code == 0
        assert (world / "again.tgz").read_bytes() == (world / "voc-fcn8s.tar.gz").read_bytes()
    segmenter = Segmenter(build(world / "runs/voc-fcn8s/model.safetensors"), torch.device("cpu"))
    with tarfile.open("voc-fcn8s.tar.gz", "r:gz") as tar:
        assert tar.getnames() == [f"{PLACE}/{name}.png" for name in IDS]
        for name, member in zip(IDS, tar, strict=True):
            assert (member.type, member.mtime, member.uid, member.gid, member.uname) == (tarfile.REGTYPE, 0, 0, 0, "")
            with Image.open(tar.extractfile(member)) as label, Image.open(io.BytesIO(jpeg(name))) as image:  # type: ignore[arg-type]
                assert label.mode == "P" and label.getpalette()[3:6] == [128, 0, 0]  # type: ignore[index]
                pixels = np.array(image)
                assert pixels.shape[:2] == size(name), "as stored"
                assert np.array_equal(np.array(label), segmenter({"color": pixels}, name)["semantic"])
    done = submit("--check", "voc-fcn8s.tar.gz", "--images", ARCHIVE)
    assert done.stdout == "voc-fcn8s.tar.gz holds what the server asks for: 3 images of voc/test\n"


def test_a_split_of_shards_needs_no_archive(world: Path) -> None:
    shape = DatasetSpec(name="voc", images=("color",), labels={"semantic": LABEL})
    color = {name: photograph(*size(name), IDS.index(name)) for name in IDS}
    rows: list[dict[str, Any]] = [
        {"id": name, "color": encoded(pixels), "semantic": encoded(pixels[..., 0]), "height": 1, "width": 1}
        for name, pixels in color.items()
    ]
    written(world / "data/shards/voc/val", shape, rows)
    done = submit("voc-fcn8s", "--split", "voc/val", "--competition", "comp5")
    assert done.stdout.endswith("of voc/val for comp5 (as asked)\n"), done.output
    assert submit("--check", "voc-fcn8s.tar.gz", "--split", "voc/val").exit_code == 0
    done = submit("--check", "voc-fcn8s.tar.gz", "--split", "voc/val", "--competition", "comp6")
    assert f"comp5_test_cls/{IDS[0]}.png: is not in {PLACE}\n" in done.stderr


def label(name: str, value: int = 20) -> bytes:
    return png(np.full(size(name), value, np.uint8), PASCAL)


def swapped(first: bytes) -> bytes:
    """The same samples under a palette whose first two colours have changed places."""
    image = Image.open(io.BytesIO(first))
    palette = image.getpalette() or []
    image.putpalette([*palette[3:6], *palette[:3], *palette[6:]])
    return stored(image)


GREY = Image.new("L", size(IDS[0])[::-1])
BROKEN: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "void": (lambda _: label(IDS[0], 255), "has label 255 at row 0, column 0: 0 to 20 are classes, void is none"),
    "too small": (lambda _: label(IDS[1]), "is 41×50 px, its image 40×50 (height × width)"),
    "colour": (lambda _: stored(GREY.convert("RGB")), "has mode RGB: it has to be 8-bit with a palette"),
    "permuted": (swapped, "has another palette than VOC's colour map: are its samples class indices?"),
    "jpeg": (lambda _: stored(GREY, "JPEG"), "is no PNG"),
    "cut": (lambda whole: whole[: whole.index(b"IDAT") + 6], "does not decode ("),
}


def told(*members: archive.Member) -> str:
    """What --check says of an archive of ``members`` before its last line, which says that something is wrong."""
    archive.write_tgz(Path("a.tgz"), members)
    done = submit("--check", "a.tgz", "--images", ARCHIVE, code=1)
    *lines, last = done.stderr.splitlines()
    assert last == "Error: a.tgz is not what the server asks for: mend it"
    return "\n".join(line.removeprefix("Error: a.tgz: ") for line in lines)


@pytest.mark.parametrize("case", BROKEN)
def test_an_image_that_the_server_would_not_score_is_told_with_its_reason(case: str, world: Path) -> None:
    change, reason = BROKEN[case]
    (name, whole), *others = [(f"{PLACE}/{name}.png", label(name)) for name in IDS]
    found = told((name, change(whole)), *others)
    assert found.startswith(f"{PLACE}/{IDS[0]}.png: {reason}") and found.count("\n") == 0, found


def test_members_that_are_missing_twice_there_elsewhere_or_nobodys_are_told(world: Path) -> None:
    first, second, third = ((f"{PLACE}/{name}.png", label(name)) for name in IDS)
    assert told(first) == f"{IDS[1]}.png and 1 more: missing of the split's 3"
    assert told(first, second, third, first) == f"{first[0]}: stands twice in the archive"
    for name in (f"{PLACE}/2008_000001.png", f"{PLACE}/{IDS[0]}.PNG", f"{PLACE}/notes.txt"):
        assert told(first, second, third, (name, first[1])) == f"{name}: is no PNG of an image of the split"
    elsewhere = third[0].replace("comp6", "comp5")
    assert f"{elsewhere}: is not in {PLACE}\n" in told(first, second, (elsewhere, third[1]))


def test_an_archive_that_reaches_out_of_its_folder_or_is_cut_off_is_refused(world: Path) -> None:
    good = [(f"{PLACE}/{name}.png", label(name)) for name in IDS]
    link = tarfile.TarInfo(good[0][0])
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open("link.tgz", "w:gz") as tar:
        tar.addfile(link)
    for prefix in ("/", "../"):
        archive.write_tgz(world / f"{len(prefix)}.tgz", [(prefix + good[0][0], good[0][1])])
    archive.write_tgz(world / "a.tgz", good)
    (world / "cut.tgz").write_bytes((world / "a.tgz").read_bytes()[:-30])
    archive.write_tar(world / "plain.tar.gz", good)
    for name, reason in {
        "link.tgz": f"holds '{link.name}', a link or a device: write it again",
        "1.tgz": f"holds '/{good[0][0]}', a name outside its folder: write it again",
        "3.tgz": f"holds '../{good[0][0]}', a name outside its folder: write it again",
        "cut.tgz": "is truncated: write it again",
        "plain.tar.gz": "is not gzipped, and the server takes nothing else: tar -czf it",
    }.items():
        assert submit("--check", name, "--images", ARCHIVE, code=1).stderr == f"Error: {name} {reason}\n"


def test_what_cannot_be_submitted_is_refused_before_anything_is_written(world: Path) -> None:
    trained(world, "siftflow-fcn8s", spec(stride=8, heads={"semantic": labels(21)}))
    for arguments, reason in (
        (("voc-fcn8s",), "no shards in data/shards/voc/test: give VOC's test as --images VOC2012test.tar, or"),
        (("voc-fcn9s", "--images", ARCHIVE), "no row 'voc-fcn9s' in params.yaml under recipes: did you mean 'voc-fcn"),
        (("--images", ARCHIVE), "say which net, with one of"),
        (("voc-fcn8s", "--images", ARCHIVE, "--out", "x.zip"), "x.zip is not called .tar.gz or .tgz, which the"),
        (("voc-fcn8s", "--images", ARCHIVE, "--split", "voc/val"), f"{ARCHIVE} has no ImageSets/Segmentation/val.txt"),
        (("voc-fcn8s", "--images", "runs"), "runs has no ImageSets/Segmentation/: name VOC2012test.tar, or the folder"),
        (("siftflow-fcn8s", "--images", ARCHIVE), "this net's classes are not VOC's 21: submit one trained on voc"),
    ):
        assert submit(*arguments, code=1).stderr.startswith(f"Error: {reason}")
    assert not [path for path in world.iterdir() if "tar.gz" in path.name or path.suffix == ".zip"]


def test_a_photograph_that_breaks_half_way_leaves_no_archive(world: Path) -> None:
    unpack(ARCHIVE, "unpacked")
    last = world / f"unpacked/VOCdevkit/VOC2012/JPEGImages/{IDS[2]}.jpg"
    last.write_bytes(last.read_bytes()[:300])
    done = submit("voc-fcn8s", "--images", "unpacked", code=1)
    assert f"unpacked: {IDS[2]}.jpg does not decode (" in done.stderr
    assert not list(world.glob("*voc-fcn8s*")) and not list(world.glob(".*partial"))
    last.unlink()
    assert submit("voc-fcn8s", "--images", "unpacked").stderr.startswith(f"Error: unpacked lists {IDS[2]} but has no")


def test_only_a_ladder_that_saw_nothing_but_vocs_labels_is_comp5() -> None:
    rows = yaml.safe_load((ROOT / "params.yaml").read_text())["recipes"]
    rows["voc-fcn32s"]["net"]["start"] = "random"
    for name in ("voc-fcn32s", "voc-fcn16s", "voc-fcn-alexnet"):
        rows[name]["data"]["shards"] = "voc"
    for name, found in {
        "voc-fcn32s": ("comp5", "voc-fcn32s begins at random and trains on voc/train"),
        "voc-fcn32s-scratch": ("comp6", "voc-fcn32s-scratch trains on sbd/train"),
        "voc-fcn16s": ("comp5", "voc-fcn32s begins at random and trains on voc/train"),
        "voc-fcn-alexnet": ("comp6", "voc-fcn-alexnet begins from weights/alexnet-fcn.safetensors"),
        None: ("comp6", "its training is not known"),
    }.items():
        assert competition_of(rows, name) == found
