"""Images of any size are labelled as evaluation labels them, tiled or not, in the memory that there is."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.core.types import Refusal
from pipeline.prediction.predict import predict
from pipeline.serving import device as memory
from pipeline.serving import segment
from pipeline.serving.segment import WHOLE, Segmenter
from pipeline.shards.reader import Example
from pipeline.spec import NetSpec
from tests.closure import ROOT
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
def test_images_below_the_coarsest_cell_are_labelled_too(backbone: str) -> None:
    segmenter = Segmenter(net(spec(backbone)), CPU)
    for size in ((1, 1), (1, 400), (200, 31)):
        assert segmenter({"color": photograph(*size)}, "a")["semantic"].shape == size


@pytest.mark.parametrize(
    "net_spec",
    [spec(stride=8), spec(padding=100, crop=224), spec("googlenet")],
    ids=["vgg16", "padding-100", "googlenet"],
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
    made, pixels = net(spec()), photograph(420, 480)
    segmenter = Segmenter(made, CPU)
    whole = segmenter({"color": pixels}, "a")["semantic"]
    shown: list[tuple[int, int]] = []
    made.register_forward_pre_hook(lambda _, images: shown.append(tuple(images[0].shape[2:])))
    for height, width in ((420, 480), (420, 448), (416, 416)):
        shown.clear()
        area = 460 * 520 if width == 480 else (width + 40) ** 2  # 20 px of padding on each side
        room = segmenter.bytes_per_pixel * (area + 1)
        monkeypatch.setattr(memory, "available", lambda _, room=int(room): room)
        tiled = segmenter({"color": pixels}, "a")["semantic"]
        assert max(shown) == (height, width)
        assert (tiled != whole).sum() <= 5
    shown.clear()
    monkeypatch.setattr(memory, "available", lambda _: 1 << 40)
    monkeypatch.setattr(segment, "MOST", 1 << 20)  # of plenty, on a CPU, what the smallest exact tiles need
    assert (Segmenter(made, CPU)({"color": pixels}, "a")["semantic"] != whole).sum() <= 5
    assert max(shown) == (416, 416)
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
    segmenter = Segmenter(net(spec(inputs=("color", "depth"), mean=(*MEAN, 7.8))), CPU)
    color, depth = photograph(10, 40), np.full((10, 40), 2000, np.uint16)
    assert segmenter({"color": color, "depth": depth}, "a")["semantic"].shape == (10, 40)
    for images, reason in (
        ({"color": color}, "a lacks depth: this net sees color, depth"),
        ({"color": color, "depth": color}, "a: depth is uint8 of shape (10, 40, 3): it has to be H×W uint16 of"),
        ({"color": color / 2, "depth": depth}, "a: color is float64 of shape (10, 40, 3): it has to be H×W×3 uint8"),
        ({"color": color[1:], "depth": depth}, "a is of size [(9, 40), (10, 40)] (height, width): all inputs must be"),
        ({"color": color[:0], "depth": depth[:0]}, "a is of size [(0, 40)]"),
    ):
        with pytest.raises(Refusal, match=f"^{re.escape(reason)}"):
            segmenter(images, "a")


MEASURED = """
import re
from pathlib import Path
import torch
from pipeline.serving import device
from pipeline.serving.segment import Segmenter
from tests.serving.world import net, spec
def kilobytes(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
made = net(spec(width=0.125, padding=100, crop=224))
with torch.inference_mode():
    made(torch.zeros(1, 3, 64, 64))
    before = kilobytes("VmRSS")
    for scores in made(torch.zeros(1, 3, 1200, 1600) - 1).values():
        scores.max(1)
allowed = Segmenter(made, torch.device("cpu")).bytes_per_pixel * 1400 * 1800
print(allowed, 1024 * (kilobytes("VmHWM") - before))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_forward_pass_takes_about_half_of_what_is_allowed_for_and_never_more() -> None:
    """In a process of its own, whose peak no other test has set."""
    done = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, cwd=ROOT, check=True)
    allowed, taken = map(float, done.stdout.split())
    assert 0.4 * allowed < taken < allowed


def test_a_container_bounds_what_is_available(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    assert memory.available(CPU) > 100 << 20
    (tmp_path / "memory.current").write_text(f"{1 << 20}\n")
    for limit, bounded in (("max", False), (str(3 << 20), True)):
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        assert memory.available(CPU) == 2 << 20 if bounded else memory.available(CPU) > 100 << 20
