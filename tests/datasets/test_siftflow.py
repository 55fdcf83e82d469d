"""SIFT Flow leaves its MATLAB maps as palette PNGs of class indices, and what is odd in its zip is named."""

import io
import zipfile
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from pipeline.core.types import Encoded, Refusal
from pipeline.datasets import siftflow
from pipeline.miniature.shared.outdoors import NAMES

FOLDER = "spatial_envelope_256x256_static_8outdoorcategories"


def jpeg(height: int = 2, width: int = 3) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height)).save(file, "JPEG")
    return file.getvalue()


def mat(**variables: Any) -> bytes:
    file = io.BytesIO()
    savemat(file, variables, do_compression=True)
    return file.getvalue()


SEMANTIC = np.array([[0, 1, 33], [28, 6, 1]])
GEOMETRIC = np.array([[-1, 3, 3], [1, 3, 0]])


def image(name: str, semantic: bytes | None = None, geometric: bytes | None = None) -> dict[str, bytes]:
    """The three members of one image."""
    return {
        f"Images/{FOLDER}/{name}.jpg": jpeg(),
        f"SemanticLabels/{FOLDER}/{name}.mat": semantic or mat(S=SEMANTIC.astype(np.float64)),
        f"GeoLabels/{FOLDER}/{name}.mat": geometric or mat(S=GEOMETRIC.astype(np.float64)),
    }


def listed(*names: str) -> dict[str, bytes]:
    return {"TestSet1.txt": "".join(f"{FOLDER}\\{name}.jpg\r\n" for name in names).encode()}


def pack(raw: Path, *members: dict[str, bytes], root: str = "") -> Path:
    with zipfile.ZipFile(raw / siftflow.ARCHIVE, "w", zipfile.ZIP_DEFLATED) as archive:
        for group in members:
            for name, data in group.items():
                archive.writestr(f"{root}{name}", data)
    return raw


def decoded(sample: Any, head: str) -> np.ndarray:
    with Image.open(io.BytesIO(sample.labels[head].bytes)) as picture:
        assert picture.mode == "P"
        return np.array(picture)


@pytest.mark.parametrize(
    ("root", "dtype"), [("", np.float64), ("SiftFlowDataset/", np.int16), ("a/b/", np.int32), ("", np.uint8)]
)
def test_labels_lose_one_and_void_becomes_255(tmp_path: Path, root: str, dtype: type) -> None:
    geometric = GEOMETRIC.clip(0) if dtype is np.uint8 else GEOMETRIC
    one = image("coast_natu975", mat(S=SEMANTIC.astype(dtype)), mat(S=geometric.astype(dtype)))
    raw = pack(tmp_path, listed("coast_natu975"), one, root=root)

    assert siftflow.ids(raw, "test") == ["coast_natu975"]
    (read,) = siftflow.read(raw, ["coast_natu975"])
    sample = siftflow.sample(*read)

    assert (sample.id, sample.height, sample.width) == ("coast_natu975", 2, 3)
    assert (sample.images["color"].bytes, sample.images["color"].path) == (jpeg(), "coast_natu975.jpg")
    np.testing.assert_array_equal(decoded(sample, "semantic"), [[255, 0, 32], [27, 5, 0]])
    np.testing.assert_array_equal(decoded(sample, "geometric"), [[255, 2, 2], [0, 2, 255]])
    assert siftflow.sample(*read) == sample


def test_splits_are_the_list_and_every_other_annotated_image(tmp_path: Path) -> None:
    unlabelled = {f"Images/{FOLDER}/street_urb506.jpg": jpeg()}
    raw = pack(
        tmp_path,
        image("street_a1"),
        unlabelled,
        image("highway_bost181", semantic=mat(S=np.zeros((2, 3)))),
        image("coast_b2"),
        image("forest_c3"),
        listed("street_a1", "coast_b2"),
    )

    assert siftflow.splits(raw) == ("trainval", "test")
    assert siftflow.ids(raw, "test") == ["street_a1", "coast_b2"]
    assert siftflow.ids(raw, "trainval") == ["forest_c3"]


def test_what_packers_add_is_passed_over(tmp_path: Path) -> None:
    extra = {"__MACOSX/Images/x/._a.jpg": b"", "Images/x/Thumbs.db": b"", "Images/": b"", "README.txt": b"hello"}
    raw = pack(tmp_path, listed("a"), image("a"), extra, {"Images\\x\\b.jpg": jpeg()})
    assert siftflow.ids(raw, "test") == ["a"]
    assert siftflow.ids(raw, "trainval") == []


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ([image("a")], r"must hold one TestSet1\.txt, found none"),
        ([image("a"), listed("a"), {"old/TestSet1.txt": b""}], r"one TestSet1\.txt, found TestSet1\.txt, old/TestSet1"),
        ([image("a"), listed("a", "b")], r"TestSet1\.txt lists b, but no Images/\*\*/b\.jpg is there"),
        ([image("a"), listed("a", "a")], r"TestSet1\.txt lists a twice"),
        ([image("a"), listed()], r"TestSet1\.txt lists no ids"),
        ([listed("a")], r"has no Images/\*\*/\*\.jpg"),
        ([image("a"), {"Images/other/a.jpg": b""}, listed("a")], r"holds Images/.*a\.jpg and Images/other/a\.jpg"),
        ([{f"Images/{FOLDER}/a.jpg": b""}, listed("a")], r"has no SemanticLabels/\*\*/a\.mat"),
        ([dict([*image("a").items()][:2]), listed("a")], r"has no GeoLabels/\*\*/a\.mat"),
    ],
)  # fmt: skip
def test_an_archive_that_is_not_whole_is_refused(tmp_path: Path, members: list[dict[str, bytes]], told: str) -> None:
    with pytest.raises(Refusal, match=rf"SiftFlowDataset\.zip.*{told}"):
        siftflow.ids(pack(tmp_path, *members), "test")


@pytest.mark.parametrize(
    ("head", "content", "told"),
    [
        ("semantic", mat(T=SEMANTIC), "has no readable S"),
        ("semantic", b"MATLAB 5.0 MAT-file, and nothing", "has no readable S"),
        ("semantic", mat(S="text"), "an S that is no H×W map of numbers"),
        ("semantic", mat(S=SEMANTIC.T), r"S is 3×2 \(height×width\) but its image is 2×3"),
        ("semantic", mat(S=SEMANTIC + 1.0), "S is 34 at row 0, column 2: values are 0 to 33"),
        ("semantic", mat(S=SEMANTIC - 1), "S is -1 at row 0, column 0: values are 0 to 33"),
        ("semantic", mat(S=SEMANTIC + 0.5), r"S is 0\.5 at row 0, column 0"),
        ("semantic", mat(S=SEMANTIC * np.nan), "S is nan at row 0, column 0"),
        ("geometric", mat(S=GEOMETRIC + 1), "S is 4 at row 0, column 1: values are -1 to 3"),
        ("geometric", mat(S=GEOMETRIC - 1), "S is -2 at row 0, column 0: values are -1 to 3"),
    ],
)
def test_a_map_that_is_none_is_named(tmp_path: Path, head: str, content: bytes, told: str) -> None:
    folder = {"semantic": "SemanticLabels", "geometric": "GeoLabels"}[head]
    (read,) = siftflow.read(pack(tmp_path, image("a", **{head: content}), listed("a")), ["a"])
    with pytest.raises(Refusal, match=rf"SiftFlowDataset\.zip: {folder}/{FOLDER}/a\.mat.*{told}"):
        siftflow.sample(*read)
    with pytest.raises(Refusal, match=r"a\.jpg is no image: fetch its archive again"):
        siftflow.sample("a", {**read[1], "color": Encoded(bytes=b"<html>", path="a.jpg")})


def test_colours_tell_the_classes_apart() -> None:
    assert list(siftflow.SEMANTIC) == list(NAMES) == sorted(NAMES) and len(NAMES) == 33
    for colors in (siftflow.SEMANTIC, siftflow.GEOMETRIC):
        for one, other in combinations([*colors.values(), siftflow.VOID], 2):
            assert np.linalg.norm(np.subtract(one, other)) >= 40
