"""Images of any size are labelled as evaluation labels them, tiled or not, whatever memory there is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.core.types import Refusal
from pipeline.evaluation.predict import predict
from pipeline.fcn.net import make
from pipeline.serving import memory
from pipeline.serving.segment import SCRATCH, WHOLE, Segmenter
from pipeline.shards.reader import Example
from pipeline.spec import NetSpec
from tests.serving.world import MEAN, labels, net, photograph, spec

CPU = torch.device("cpu")


def evaluated(net_spec: NetSpec, pixels: np.ndarray) -> np.ndarray:
    example = Example(id="a", images={"color": pixels}, labels={})
    ((_, found),) = predict(net(net_spec), net_spec, [example], CPU)
    return found["semantic"]


@pytest.mark.parametrize("size", [(32, 32), (37, 501), (333, 200)])
def test_labels_are_those_of_evaluation(size: tuple[int, int]) -> None:
    pixels = photograph(*size)
    found = Segmenter(net(spec()), CPU)({"color": pixels}, "a")["semantic"]
    assert found.dtype == np.uint8
    assert np.array_equal(found, evaluated(spec(), pixels))
    assert len(np.unique(found)) > 3


@pytest.mark.parametrize("backbone", ["vgg16", "alexnet", "googlenet"])
@pytest.mark.parametrize("size", [(1, 1), (1, 400), (31, 5), (200, 31)])
def test_images_below_the_coarsest_cell_are_labelled_too(backbone: str, size: tuple[int, int]) -> None:
    assert Segmenter(net(spec(backbone)), CPU)({"color": photograph(*size)}, "a")["semantic"].shape == size


@pytest.mark.parametrize(
    "net_spec",
    [spec(stride=32), spec(stride=16), spec(stride=8), spec(padding=100, crop=224), spec("googlenet"), spec("alexnet")],
    ids=["32", "16", "8", "padding-100", "googlenet", "alexnet"],
)
def test_tiles_label_a_large_picture_as_the_whole_does_but_for_ties(net_spec: NetSpec) -> None:
    """Single precision: where labels differ, the whole's two best scores differ by a rounding."""
    made, pixels = net(net_spec), photograph(1000, 1200)
    whole, tiled = (Segmenter(made, CPU, side)({"color": pixels}, "a")["semantic"] for side in (WHOLE, 896))
    assert len(np.unique(whole)) > 10
    rows, columns = np.nonzero(whole != tiled)
    assert len(rows) <= 12
    if len(rows):
        with torch.inference_mode():
            image = torch.from_numpy(pixels).permute(2, 0, 1)[None] - torch.tensor(MEAN).view(1, 3, 1, 1)
            scores = made(image)["semantic"][0]
        best, second = scores[:, rows, columns].topk(2, dim=0).values
        assert (best - second).max() < 1e-5 * scores.std()


def test_where_memory_does_not_suffice_tiles_come_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    made, pixels = net(spec()), photograph(500, 700)
    with torch.device("meta"):
        twin = make(spec()).eval()
    whole = Segmenter(made, CPU)({"color": pixels}, "a")["semantic"]
    shown: list[tuple[int, int]] = []
    made.register_forward_pre_hook(lambda _, images: shown.append(tuple(images[0].shape[2:])))
    for largest in ((500, 700), (500, 544), (448, 448), (416, 416)):
        shown.clear()
        room = SCRATCH * memory.peak(twin, 3, *largest)
        monkeypatch.setattr(memory, "available", lambda _, room=room: room)
        tiled = Segmenter(made, CPU)({"color": pixels}, "a")["semantic"]
        assert max(shown) == largest
        assert (tiled != whole).sum() <= 5
    monkeypatch.setattr(memory, "available", lambda _: 5 << 20)
    with pytest.raises(Refusal, match=r"^a does not fit into 5 MB, nor do exact tiles of it, 416 px or more: "):
        Segmenter(made, CPU)({"color": pixels}, "a")
    assert Segmenter(made, CPU, 128)({"color": photograph(150, 200)}, "a")["semantic"].shape == (150, 200)


def test_every_head_and_every_input_has_its_say() -> None:
    heads = {"semantic": labels(21), "geometric": labels(3)}
    both = spec(inputs=("color", "hha"), streams="late", mean=MEAN * 2, stride=16, heads=heads)
    segmenter = Segmenter(net(both), CPU)
    images = {"color": photograph(60, 70), "hha": photograph(60, 70, seed=1)}
    found = segmenter(images, "a")
    assert {head: label.shape for head, label in found.items()} == {"semantic": (60, 70), "geometric": (60, 70)}
    other = segmenter({**images, "hha": photograph(60, 70, seed=2)}, "a")
    assert (found["semantic"] != other["semantic"]).any()


def test_a_depth_is_seen_as_millimetres() -> None:
    segmenter = Segmenter(net(spec(inputs=("color", "depth"), mean=(*MEAN, 7.8))), CPU)
    depth = np.full((10, 40), 2000, np.uint16)
    assert segmenter({"color": photograph(10, 40), "depth": depth}, "a")["semantic"].shape == (10, 40)
    with pytest.raises(Refusal, match=r"^a: depth is uint8 of shape \(10, 40, 3\): it has to be H×W uint16"):
        segmenter({"color": photograph(10, 40), "depth": photograph(10, 40)}, "a")


def test_arrays_that_torch_would_not_take_are_taken() -> None:
    pixels = photograph(50, 60)
    segmenter = Segmenter(net(spec()), CPU)
    want = segmenter({"color": pixels}, "a")["semantic"]
    frozen = pixels.copy()
    frozen.setflags(write=False)
    swapped = np.ascontiguousarray(pixels[..., ::-1])[..., ::-1]
    for same in (frozen, swapped, np.asfortranarray(pixels)):
        assert np.array_equal(segmenter({"color": same}, "a")["semantic"], want)


def test_what_is_missing_or_misshapen_is_refused_by_name() -> None:
    segmenter = Segmenter(net(spec(inputs=("color", "hha"), streams="late", mean=MEAN * 2)), CPU)
    with pytest.raises(Refusal, match=r"^a lacks hha: this net sees color, hha$"):
        segmenter({"color": photograph(40, 40)}, "a")
    with pytest.raises(Refusal, match=r"^a is of size \[\(40, 40\), \(40, 41\)\]"):
        segmenter({"color": photograph(40, 40), "hha": photograph(40, 41)}, "a")
    alone = Segmenter(net(spec()), CPU)
    with pytest.raises(Refusal, match=r"^a: color is float64 of shape \(4, 4, 3\): it has to be H×W×3 uint8 RGB$"):
        alone({"color": np.zeros((4, 4, 3))}, "a")
    with pytest.raises(Refusal, match=r"^a is of size \[\(0, 4\)\]"):
        alone({"color": np.zeros((0, 4, 3), np.uint8)}, "a")
