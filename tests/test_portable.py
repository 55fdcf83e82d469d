"""A training is the same bytes on every x86-64 processor with AVX2: by digests, and by the kernels that it takes.

    python -m tests.test_portable                              # prints this machine's, as tests/portable.json has them
    qemu-x86_64 -cpu Haswell …/python -m tests.test_portable nets  # another processor's: minutes

Digests are of each operation, and of the weights after a few steps of each net. Inputs come from NumPy's PCG64, the
same bytes everywhere, so that a difference is the operation's own.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

import pipeline.determinism  # before NumPy, whose kernels it pins
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pipeline.backbones.shared.layers import Conv2d, Linear, Sliding, lrn
from pipeline.backbones.shared.random_start import random_start
from pipeline.core import plugins
from pipeline.core.types import LabelSpec
from pipeline.fcn.bilinear import upscore
from pipeline.fcn.net import make
from pipeline.spec import NetSpec
from pipeline.training.loss import cross_entropy
from pipeline.training.momentum import Momentum
from tests.closure import ROOT
from tests.launch import another_maker

DIGESTS = json.loads((ROOT / "tests/portable.json").read_text())

pytestmark = pytest.mark.skipif("MKL_CBWR" not in pipeline.PINS, reason="no AVX2")


class Case(NamedTuple):
    wide: int
    deep: int
    side: int
    kernel: int
    stride: int = 1
    padding: int = 0
    groups: int = 1


# Those of the thin nets, then some of the full ones' shapes, then odd channels
CONVOLUTIONS = (
    *(Case(3, 8, 128, 3), Case(8, 8, 128, 3, 1, 1), Case(16, 32, 50, 3, 1, 1), Case(64, 64, 13, 3, 1, 1)),
    *(Case(3, 24, 128, 11, 4), Case(24, 64, 15, 5, 1, 2, 2), Case(96, 96, 7, 3, 1, 1, 2), Case(16, 16, 32, 1)),
    *(Case(3, 16, 128, 7, 2, 3), Case(8, 12, 16, 5, 1, 2), Case(128, 21, 5, 1), Case(6, 24, 64, 3, 2, 1)),
    *(Case(64, 64, 64, 3, 1, 1), Case(128, 128, 24, 3, 1, 1), Case(192, 64, 28, 1), Case(13, 19, 41, 3, 1, 1)),
)
PRODUCTS = ((1, 576, 512), (64, 512, 512), (273, 13, 128), (128, 13, 13), (2000, 64, 576), (333, 127, 65))
NETS = {"vgg16": 1 / 8, "alexnet": 1 / 4, "googlenet": 1 / 4, "efficientnet_lite": 1 / 4}
CLASSES = LabelSpec(classes=("background", "cat", "dog"), palette=((0, 0, 0), (64, 0, 0), (64, 0, 128)))


def operations(random: np.random.Generator) -> Iterator[tuple[str, Tensor]]:
    def normal(*shape: int) -> Tensor:
        return torch.from_numpy(random.standard_normal(shape).astype(np.float32))

    def drawn(layer: torch.nn.Module) -> torch.nn.Module:
        for parameter in layer.parameters():
            parameter.data.copy_(normal(*parameter.shape) * 0.1)
        return layer

    def passed(name: str, x: Tensor, function: torch.nn.Module) -> Iterator[tuple[str, Tensor]]:
        y = function(x.requires_grad_())
        y.backward(y.detach().tanh())
        yield name, y
        yield f"{name}: input's gradient", x.grad
        for part, parameter in function.named_parameters():
            yield f"{name}: {part}'s gradient", parameter.grad

    for case in CONVOLUTIONS:
        for batch in (1, 2):
            x = normal(batch, case.wide, case.side, case.side).relu()
            layer = Conv2d(case.wide, case.deep, case.kernel, case.stride, case.padding, groups=case.groups)
            yield from passed(f"conv {batch}×{tuple(case)}", x, drawn(layer))
    yield from passed("sliding", normal(1, 64, 9, 11), drawn(Sliding(64, 96, 4)))
    for rows, inner, columns in PRODUCTS:
        yield from passed(f"linear {rows}×{inner}×{columns}", normal(rows, inner), drawn(Linear(inner, columns)))
    scores = normal(1, 21, 7, 9)
    yield "upscore", upscore(scores, 201, 270, stride=32, kernel=64, offset=19)
    x = normal(1, 64, 40, 50)
    for function in (lrn, torch.rsqrt, torch.exp, torch.sigmoid, torch.tanh, torch.sum):
        yield function.__name__, function(x.abs() + 1e-3)
    yield "log_softmax", functional.log_softmax(normal(1, 21, 131, 128) * 5, 1)
    yield from passed("batch_norm", normal(8, 32, 20, 20), drawn(torch.nn.BatchNorm2d(32).train()))
    yield "max_pool2d", functional.max_pool2d(x, 3, 2, ceil_mode=True)
    pipeline.determinism.reseed(1337, 7)
    yield "dropout", functional.dropout(x, 0.5)
    yield "normal_", torch.empty(1000, 33).normal_(0.0, 0.01, generator=torch.Generator().manual_seed(7))
    weight = normal(300, 101).requires_grad_()
    solver = torch.optim.Adam([weight], fused=True)
    for _ in range(3):
        weight.grad = normal(300, 101)
        solver.step()
    yield "Adam", weight


def trained(backbone: str, width: float, random: np.random.Generator) -> Iterator[tuple[str, Tensor]]:
    """Three steps of an 8s net with learned upsampling; then its scores."""
    spec = NetSpec(backbone=backbone, width=width, crop=64, padding=100, mean=(120.0, 115.0, 105.0))
    finest = min(plugins.load("backbones", backbone).Backbone(spec).channels)
    spec = NetSpec.from_json(
        {**spec.to_json(), "stride": max(8, finest), "upsampling": "learned", "heads": {"semantic": CLASSES.to_json()}}
    )
    net = make(spec).train()
    random_start(net, spec, torch.Generator().manual_seed(0))
    for parameter in net.parameters():
        parameter.requires_grad_()
    solver = Momentum(net, momentum=0.9, weight_decay=5e-4)
    for step in range(3):
        pipeline.determinism.reseed(1337, step)
        image = torch.from_numpy((random.standard_normal((1, 3, 96, 100)) * 60).astype(np.float32))
        label = torch.from_numpy(random.integers(0, 3, (1, 96, 100)).astype(np.uint8))
        cross_entropy(net(image)["semantic"], label, 255).backward()
        solver.update(1e-7)
    yield f"weights of {backbone}", torch.cat([parameter.flatten() for parameter in net.parameters()])
    with torch.inference_mode():
        yield f"scores of {backbone}", net.eval()(image)["semantic"]


def digests(asked: str = "all") -> dict[str, str]:
    """By name; only those of the ``nets`` where that is asked."""
    torch.set_num_threads(1)
    found = dict(operations(np.random.default_rng(7))) if asked == "all" else {}
    for backbone, width in NETS.items():
        found |= trained(backbone, width, np.random.default_rng(3))
    return {
        name: hashlib.sha256(tensor.detach().contiguous().numpy().tobytes()).hexdigest()[:16]
        for name, tensor in found.items()
    }


def computed(*python: str, asked: str = "all", **environment: str) -> subprocess.CompletedProcess[str]:
    """``tests.test_portable`` in a process of its own."""
    path = os.pathsep.join([str(ROOT), *(place for place in sys.path if place)])
    environment = {**pipeline.PINS, "OMP_NUM_THREADS": "1", "PYTHONPATH": path, **environment}
    return subprocess.run(
        [*python, "-m", "tests.test_portable", asked],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )


def test_operations_and_trainings_give_the_bytes_of_every_other_machine() -> None:
    found = json.loads(computed(sys.executable).stdout)
    assert [name for name in DIGESTS if found.get(name) != DIGESTS[name]] == []
    assert found.keys() == DIGESTS.keys()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("qemu-x86_64") is None, reason="no qemu-user")
def test_trainings_give_the_same_bytes_on_another_maker_s_processor() -> None:
    ran = computed(*another_maker(), asked="nets")
    found = json.loads(ran.stdout)
    assert found
    assert found == {name: DIGESTS[name] for name in found}


def test_no_convolution_asks_for_the_size_of_a_cache() -> None:
    """oneDNN's other kernels, by an unfolded copy or for 1×1, cut their sums by it (ONEDNN_VERBOSE names each)."""
    lines = computed(sys.executable, ONEDNN_VERBOSE="1").stdout.splitlines()
    ran = [line.split(",") for line in lines if ",exec,cpu,convolution," in line]
    assert len(ran) > 100
    assert {words[words.index("convolution") + 1] for words in ran} == {"jit:avx2", "jit_dw:avx2"}
    assert not [line for line in lines if ",exec,cpu,matmul," in line or ",exec,cpu,inner_product," in line]


if __name__ == "__main__":
    print(json.dumps(digests(*sys.argv[1:]), indent=0, ensure_ascii=False))
