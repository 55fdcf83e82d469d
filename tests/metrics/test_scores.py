"""The histogram counts every pixel or refuses; the four metrics are the reference's."""

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from pipeline.core.types import DatasetSpec, LabelSpec, Refusal
from pipeline.datasets import voc
from pipeline.metrics.scores import FACTORS, Map, bound, histogram, resampled, scores, write_bounds
from tests.split import encoded, written

THREE = LabelSpec(classes=("background", "cat", "dog"), palette=((0, 0, 0), (1, 1, 1), (2, 2, 2)))
REAL = Path(__file__).parents[2].parent / "shared/real"
PAPER = {128: 50.9, 64: 73.3, 32: 86.1, 16: 92.8, 8: 96.4, 4: 98.5}  # arXiv:1411.4038v2, appendix A
STUFF = LabelSpec(classes=("wall", "floor", "bed"), palette=((0, 0, 0),) * 3)


def labels(count: int, ignore_label: int = 255) -> LabelSpec:
    names = tuple(f"class {i}" for i in range(count))
    return LabelSpec(classes=names, palette=((0, 0, 0),) * count, ignore_label=ignore_label)


def test_scores_are_score_pys_on_a_matrix_computed_by_hand() -> None:
    hist = np.array([[5, 1, 0], [2, 6, 0], [0, 1, 3]])
    got = scores(hist, THREE.classes)
    assert got["pixel_acc"] == pytest.approx(14 / 18, abs=1e-12)
    assert got["mean_acc"] == pytest.approx((5 / 6 + 6 / 8 + 3 / 4) / 3, abs=1e-12)
    assert got["mean_iu"] == pytest.approx(79 / 120, abs=1e-12)
    assert got["fw_iu"] == pytest.approx(77 / 120, abs=1e-12)
    assert got["iu"] == {"background": 5 / 8, "cat": 6 / 10, "dog": 3 / 4}
    assert got["absent"] == []


def test_a_class_without_ground_truth_counts_in_no_mean_even_when_predicted() -> None:
    hist = np.array([[8, 2, 0], [0, 0, 0], [0, 0, 5]])  # nanmean over IU would average in a 0 for "cat"
    got = scores(hist, THREE.classes)
    assert got["absent"] == ["cat"]
    assert got["iu"] == {"background": 8 / 10, "cat": None, "dog": 1.0}
    assert got["mean_iu"] == pytest.approx(0.9, abs=1e-12)
    assert got["mean_acc"] == pytest.approx(0.9, abs=1e-12)
    assert got["fw_iu"] == pytest.approx((10 * 0.8 + 5) / 15, abs=1e-12)


def test_a_split_without_a_labelled_pixel_is_refused() -> None:
    with pytest.raises(Refusal, match="nothing to score"):
        scores(np.zeros((3, 3), np.int64), THREE.classes)


@pytest.mark.parametrize(("count", "ignore_label"), [(1, 255), (21, 255), (60, 0), (256, 255)])
def test_histogram_equals_the_masked_count_of_the_reference(count: int, ignore_label: int) -> None:
    rng = np.random.default_rng([count, ignore_label])
    truth = rng.integers(0, count, (37, 53), dtype=np.uint8)
    truth[rng.random(truth.shape) < 0.1] = ignore_label
    predicted = rng.integers(0, count, truth.shape, dtype=np.uint8)
    valid = truth != ignore_label
    expected = np.zeros((count, count), np.int64)
    np.add.at(expected, (truth[valid], predicted[valid]), 1)
    got = histogram(truth, predicted, labels(count, ignore_label), "a")
    assert got.dtype == np.int64
    assert (got == expected).all()


def test_a_label_that_is_no_class_is_refused_by_name() -> None:
    truth = np.array([[0, 3, 254]], np.uint8)
    with pytest.raises(Refusal, match=r"2007_000033: label holds \[3, 254\]"):
        histogram(truth, np.zeros_like(truth), THREE, "2007_000033")


def test_a_prediction_that_is_no_class_or_another_size_is_refused() -> None:
    truth = np.zeros((2, 3), np.uint8)
    with pytest.raises(Refusal, match="prediction holds class 3"):
        histogram(truth, truth + 3, THREE, "a")
    with pytest.raises(Refusal, match="own size"):
        histogram(truth, truth.T, THREE, "a")


def split(folder: Path, labels: Mapping[str, LabelSpec], maps: Sequence[Mapping[str, Map]]) -> Path:
    """A split of label maps; its photographs are no images at all, for nobody may look at them."""
    spec = DatasetSpec(name="maps", images=("color",), labels=labels)
    rows = []
    for index, heads in enumerate(maps):
        columns = {"color": {"bytes": b"", "path": "x"}, **{head: encoded(pixels) for head, pixels in heads.items()}}
        height, width = next(iter(heads.values())).shape
        rows.append({"id": f"{index:03d}", **columns, "height": height, "width": width})
    return written(folder, spec, rows, ids_sha256="of the ids")


def blobs(seed: int, side: int = 150, void: bool = True) -> Map:
    """Smooth shapes of three classes, with a rim of void 5 px wide about them, as VOC's."""
    noise = np.random.default_rng(seed).normal(size=(3, side, side + 30))
    regions = ndimage.gaussian_filter(noise, (0, 9, 9)).argmax(0).astype(np.uint8)
    rim = ndimage.maximum_filter(regions, 5) != ndimage.minimum_filter(regions, 5)
    return np.where(rim & void, np.uint8(255), regions)


def test_a_square_of_one_cell_loses_its_corners(tmp_path: Path) -> None:
    """A vote of 1 falls off as (1 - |x|)(1 - |y|): at offsets of 1/8 and 3/8 cell only the corners, 25/64, lose."""
    truth = np.zeros((16, 20), np.uint8)
    truth[4:8, 8:12] = 1
    got = resampled(truth, 4, THREE)
    want = truth.copy()
    want[[4, 4, 7, 7], [8, 11, 8, 11]] = 0
    assert (got == want).all()
    folder = split(tmp_path / "val", {"semantic": THREE}, [{"semantic": truth}])
    scores = bound(folder, [4])[4]
    assert scores["iu"] == {"background": 304 / 308, "cat": 12 / 16, "dog": None}
    assert scores["mean_iu"] == pytest.approx((304 / 308 + 12 / 16) / 2, abs=1e-12)


def test_void_counts_as_background_where_there_is_one_and_else_has_no_vote() -> None:
    truth = np.full((8, 8), 255, np.uint8)
    truth[2:5, 2:5] = 1
    assert (resampled(truth, 8, THREE) == 0).all(), "9 pixels of cat against 55 of what is no cat"
    assert (resampled(truth, 8, STUFF) == 1).all(), "the only class that is there"
    assert (resampled(np.full_like(truth, 255), 8, STUFF) == 0).all()


def test_a_file_holds_every_head_and_the_same_maps_give_the_same_bytes(tmp_path: Path) -> None:
    maps = [{"semantic": blobs(1), "geometric": blobs(2)}]
    folder = split(tmp_path / "maps/test", {"semantic": STUFF, "geometric": STUFF}, maps)
    for out in ("a", "b"):
        write_bounds(folder, tmp_path / f"{out}/maps-test.json")
    tree = json.loads((tmp_path / "a/maps-test.json").read_text())
    assert set(tree) == {"semantic", "geometric", "images", "ids_sha256"}
    assert (tree["images"], tree["ids_sha256"]) == (1, "of the ids")
    for head in ("semantic", "geometric"):
        assert tree[head] == {str(factor): scores for factor, scores in bound(folder, FACTORS, head).items()}
    assert tree["semantic"] != tree["geometric"]
    assert (tmp_path / "a/maps-test.json").read_bytes() == (tmp_path / "b/maps-test.json").read_bytes()


def test_refuses_other_heads_factors_and_labels_by_name(tmp_path: Path) -> None:
    folder = split(tmp_path / "val", {"semantic": THREE}, [{"semantic": np.full((4, 4), 3, np.uint8)}])
    with pytest.raises(Refusal, match="has no labels 'geometric': it has semantic"):
        bound(folder, [4], "geometric")
    with pytest.raises(Refusal, match=r"000 \(semantic\): label holds \[3\]"):
        bound(folder, [4])
    with pytest.raises(Refusal, match="factor is 0"):
        bound(folder, [0])
    with pytest.raises(Refusal, match="no finished split"):
        write_bounds(tmp_path, tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()


@pytest.mark.skipif(not (REAL / "seg11valid.txt").is_file(), reason="no ../shared/real on this machine")
def test_on_voc_the_bounds_are_the_papers(tmp_path: Path) -> None:
    """100 of the 736 images, with 12 of the 21 classes: within 2 points at every factor."""
    maps = []
    with tarfile.open(REAL / "VOCtrainval_11-May-2012.tar") as tar:
        for name in (REAL / "seg11valid.txt").read_text().split():
            file = tar.extractfile(f"VOCdevkit/VOC2012/SegmentationClass/{name}.png")
            assert file
            maps.append({"semantic": np.array(Image.open(io.BytesIO(file.read())))})
    got = bound(split(tmp_path / "val", voc.SPEC.labels, maps), FACTORS)
    assert {factor: 100 * scores["mean_iu"] for factor, scores in got.items()} == pytest.approx(PAPER, abs=2)
