"""What is foretold of a training's memory is what its steps hold, at sizes that nobody could try."""

from dataclasses import replace

import pytest

from pipeline.spec import NetSpec
from pipeline.timing import costs, memory
from tests.training.world import GEOMETRIC, SEMANTIC, SPEC, recipe

THIN = replace(SPEC, stride=8, heads={"semantic": SEMANTIC, "geometric": GEOMETRIC})
GOOGLENET = replace(SPEC, backbone="googlenet", width=0.25, padding=3, stride=8, heads={"semantic": SEMANTIC})


@pytest.mark.parametrize("spec", [THIN, GOOGLENET], ids=["vgg16", "googlenet"])
def test_two_small_images_tell_of_a_larger_one(spec: NetSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "SCRATCH", 1)
    pixel = 3 + len(spec.heads)
    decoded = 420 * 420 * (pixel + 2 * len(spec.heads) + memory.DEPTH * pixel)
    assert memory.training(spec, 420, 420) - decoded == pytest.approx(memory._step(spec, 420), rel=0.1)


def test_what_a_gpu_would_hold_and_compute_is_counted_without_computing() -> None:
    once, row = costs.cost(recipe(iterations=1), THIN, 200, 160), recipe(iterations=3, batch=2)
    assert once.memory == pytest.approx(memory._step(THIN, 180), rel=0.25)  # a CPU's products hold copies
    assert costs.cost(row, THIN, 200, 160).flops == pytest.approx(6 * once.flops)
    convolutions = 2 * 9 * 240 * 200 * 8 * (2 * 3 + 3 * 8)  # conv1_1, whose input needs no gradient, and conv1_2
    assert convolutions < once.flops < 20 * convolutions


def test_a_window_takes_its_own_size_and_decoding_the_pictures() -> None:
    whole, window, two = (
        memory.training(THIN, 9000, 12000, **options)  # type: ignore[arg-type]
        for options in ({}, {"crop": 512}, {"crop": 512, "workers": 2})
    )
    assert whole > 20 * window
    assert two - window == 9000 * 12000 * (3 + 2 * memory.LABEL)
    assert memory.training(THIN, 512, 512, crop=600) == memory.training(THIN, 512, 512)
