"""Before a GPU is at hand: where a training step's tensors are made, and whether its operations repeat there."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ops.compose import composed
from pipeline.fcn import bilinear, inputs
from pipeline.fcn.net import make
from pipeline.spec import NetSpec
from pipeline.timing import costs
from pipeline.training import momentum
from pipeline.training.feed import Item
from pipeline.training.recipe import Recipe
from pipeline.training.solver import Solver
from tests.closure import ROOT

SIDES = (64, 80)  # pixels: a step has the same operations at any size
FROM_NUMPY = "aten.lift_fresh.default"  # what comes from NumPy is on the host before it is moved


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """The matrices of upsampling, which are kept for the next image: here they are fakes."""
    yield
    bilinear.matrix.cache_clear()


@cache
def nets() -> Mapping[str, tuple[Recipe, NetSpec]]:
    """Scale paper's recipes, their nets at full width."""
    found = costs.recipes(yaml.safe_load(composed(ROOT, ["scale=paper"])))
    return {name: (recipe, spec) for name, (recipe, spec, _) in found.items()}


class Recorded(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The operations that ran, and which of them made a tensor elsewhere than on ``device``."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.device, self.names, self.strays = device, set[str](), set[str]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        self.names.add(str(func))
        if any(isinstance(each, torch.Tensor) and each.device.type != self.device.type for each in tree_leaves(made)):
            self.strays.add(str(func))
        return made


def step(recipe: Recipe, spec: NetSpec, device: torch.device) -> Callable[[], object]:
    """A step of the recipe's solver on ``device``, of which only the net is made by now."""
    with device:
        net = make(spec).train()
    solver = Solver(net, recipe.solver, spec.heads)
    pixels = {column: np.ones(SIDES if column == "depth" else (*SIDES, 3), np.uint8) for column in spec.inputs}
    pixels = {column: array.astype(np.uint16) if column == "depth" else array for column, array in pixels.items()}
    image = inputs.stack(pixels, spec.inputs, device)
    labels = {head: torch.from_numpy(np.zeros(SIDES, np.uint8)).to(device)[None] for head in spec.heads}
    item = Item(draw=0, id="one", image=image, labels=labels, valid=dict.fromkeys(spec.heads, SIDES[0] * SIDES[1]))
    return lambda: solver.step([item])


def test_forward_and_loss_make_every_tensor_on_the_gpu() -> None:
    """By fake tensors, which refuse a mixture of devices, too; the host's first look at the loss ends the step."""
    cuda, fakes = torch.device("cuda"), FakeTensorMode()
    for name, (recipe, spec) in nets().items():
        with fakes, Recorded(cuda) as seen, pytest.raises(DataDependentOutputException):
            step(recipe, spec, cuda)()
        assert "aten.gather.default" in seen.names, f"{name}: the loss is computed"
        assert seen.strays <= {FROM_NUMPY}, name


def refused() -> set[str]:
    """Torch's own list of what does not repeat on CUDA, in small letters without underscores, as ``maxunpool2d``."""
    _, _, text = str(torch.use_deterministic_algorithms.__doc__).rpartition("will throw a\n")
    names = set()
    for row in re.split(r"\n\s+\* ", text.partition("In addition")[0])[1:]:
        if "CUDA" in row or "MPS" not in row:
            names.add(re.findall(r"`torch\.([\w.]+)`", row)[0].rpartition(".")[2].lower().replace("_", ""))
    return {name.replace("interpolate", "upsample") for name in names}


def test_no_operation_of_a_step_is_of_those_that_do_not_repeat_on_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forward and backward on the meta device: which takes CUDA's ways, not the CPU's own products."""
    monkeypatch.setattr(torch.Tensor, "tolist", lambda losses: [0.0] * losses.numel())
    monkeypatch.setattr(momentum, "sgd", lambda *_, **__: None)  # element by element; it knows no such device
    rows = refused()
    assert {"nllloss", "avgpool3d", "upsample", "gridsample", "put", "histc"} <= rows
    assert not rows & {"maxpool2d", "gather", "bmm"}
    meta = torch.device("meta")
    for name, (recipe, spec) in nets().items():
        with Recorded(meta) as seen:
            step(recipe, spec, meta)()
        assert {"aten.convolution_backward.default", "aten.max_pool2d_with_indices_backward.default"} <= seen.names
        for operation in seen.names:
            plain = operation.split(".")[1].replace("_", "")
            assert not plain.startswith(tuple(rows)), f"{name}: {operation} does not repeat on CUDA"
