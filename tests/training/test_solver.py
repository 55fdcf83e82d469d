"""The loss is cross-entropy, an iteration the average of its images' gradients; the first bad loss ends all."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from pipeline import determinism
from pipeline.core.types import Refusal
from pipeline.fcn.net import FCN
from pipeline.shards.reader import Shards
from pipeline.training.feed import Feed, Item
from pipeline.training.loss import ROWS, History, Tally, balance, cross_entropy, valid_pixels
from pipeline.training.momentum import Momentum
from pipeline.training.solver import Solver
from pipeline.training.surgery import start
from tests.training.world import GEOMETRIC, SEMANTIC, classifier, recipe, shards

CPU = torch.device("cpu")


class World:
    """A recipe's net and its feed; ``items`` are the first ones drawn."""

    def __init__(self, tmp_path: Path, **changes: object) -> None:
        folder, init = tmp_path / "train", tmp_path / "init.safetensors"
        samples = Shards(folder if folder.exists() else shards(folder))
        self.recipe = recipe(**changes)
        self.net, _ = start(self.recipe, init if init.exists() else classifier(init), samples.manifest)
        self.net.train()
        self.solver = Solver(self.net, self.recipe.solver, self.net.spec.heads)
        self.feed = Feed(shards=samples, seed=1337, net=self.net.spec, device=CPU)

    def batches(self, first: int, last: int) -> Iterator[list[Item]]:
        return self.feed.batches(first, last, self.recipe.solver.batch)

    def run(self, first: int, last: int) -> None:
        for batch in self.batches(first, last):
            self.solver.step(batch)


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def gradient(net: FCN, solver: Solver, batch: list[Item]) -> dict[str, torch.Tensor]:
    """What a first step follows: without decay the velocity is the gradient."""
    solver.step(batch)
    return {name: velocity.clone() for name, velocity in solver.velocity.items()}


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_a_batch_of_four_is_the_mean_of_its_parts(tmp_path: Path, reduction: str) -> None:
    lr = 1e-6 if reduction == "sum" else 1e-3
    world = World(tmp_path, batch=4, weight_decay=0.0, reduction=reduction, lr=lr)
    (batch,) = world.batches(0, 1)
    whole = gradient(world.net, world.solver, batch)
    total = {name: torch.zeros_like(value) for name, value in whole.items()}
    for item in batch:
        alone = World(tmp_path, weight_decay=0.0, reduction=reduction, lr=lr)
        for name, value in gradient(alone.net, alone.solver, [item]).items():
            total[name] += value
    for name, value in whole.items():
        torch.testing.assert_close(value, total[name] / 4, rtol=1e-5, atol=1e-5 * float(value.abs().max()))


def summed(world: World, items: list[Item], batch: int) -> dict[str, torch.Tensor]:
    """The sum of the images' gradients over ``batch``, as backward adds them up from nothing."""
    for item in items:
        determinism.reseed(world.recipe.solver.seed, item.draw)
        scores = world.net(item.image)["semantic"]
        cross_entropy(scores, item.labels["semantic"], 255).div(batch).backward()
    gradients = {name: param.grad for name, param in world.net.named_parameters() if param.grad is not None}
    world.net.zero_grad()
    return gradients


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_virtual_ranks_add_up_in_order_whatever_one_of_them_holds(tmp_path: Path, ranks: int) -> None:
    """To the bit: with one virtual rank the sum is backward's own, as it always was."""
    world = World(tmp_path, batch=8, virtual_ranks=ranks, weight_decay=0.0)
    torch.nn.init.normal_(world.net.semantic.score_fr.weight, generator=torch.Generator().manual_seed(0))
    (batch,) = world.batches(0, 1)
    each = 8 // ranks
    total, *others = (summed(world, batch[first : first + each], 8) for first in range(0, 8, each))
    for other in others:
        total = {name: value + other[name] for name, value in total.items()}
    whole = summed(world, batch, 8)
    assert equal(gradient(world.net, world.solver, batch), total)
    assert equal(total, whole) == (ranks == 1)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_an_image_without_a_valid_pixel_changes_nothing(tmp_path: Path, reduction: str) -> None:
    world = World(tmp_path, weight_decay=0.0, reduction=reduction)
    world.run(0, 2)
    for velocity in world.solver.velocity.values():
        velocity.zero_()  # what rolls on is not the void image's doing
    before = {name: tensor.clone() for name, tensor in world.net.state_dict().items()}
    ((item,),) = world.batches(2, 3)
    void = replace(item, labels={"semantic": torch.full_like(item.labels["semantic"], 255)}, valid={"semantic": 0})
    tally = world.solver.step([void])
    assert (tally.loss, tally.count) == ({"semantic": 0.0}, {"semantic": 0})
    assert equal(before, world.net.state_dict())


def test_stops_at_a_loss_that_is_not_finite_and_keeps_the_weights(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.run(0, 12)
    before = {name: tensor.clone() for name, tensor in world.net.state_dict().items()}
    ((item,),) = world.batches(12, 13)
    broken = replace(item, image=torch.full_like(item.image, torch.nan))
    with pytest.raises(Refusal, match=rf"loss is nan at iteration 12 on {item.id}: lower solver\.lr"):
        world.solver.step([broken])
    assert equal(before, world.net.state_dict())


def test_dropout_differs_between_the_images_of_a_batch(tmp_path: Path) -> None:
    world = World(tmp_path, batch=2)
    (batch,) = world.batches(0, 1)
    world.solver.step([batch[0], replace(batch[0], draw=1)])
    masks = []
    world.net.backbone.fc7.register_forward_pre_hook(lambda _, inputs: masks.append(inputs[0] == 0))
    world.solver.step([batch[0], replace(batch[0], draw=1)])
    assert not torch.equal(*masks)


def two_layers() -> nn.Sequential:
    """Two convolutions with weights, biases and later gradients of order one."""
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1))
    generator = torch.Generator().manual_seed(0)
    for param in layers.parameters():
        nn.init.normal_(param, generator=generator)
    return layers


@pytest.mark.parametrize(("lr", "momentum", "decay"), [(1e-2, 0.9, 5e-4), (1e-3, 0.99, 0.1), (0.1, 0.5, 0.0)])
def test_equals_caffes_update(lr: float, momentum: float, decay: float) -> None:
    """SGDSolver in float64: V ← momentum·V + rate·(∂ + decay·W); W ← W − V, each with its lr_mult and decay_mult."""
    layers, generator = two_layers(), torch.Generator().manual_seed(100)
    ours = Momentum(layers, momentum=momentum, weight_decay=decay)
    weights = {name: param.detach().double().numpy() for name, param in layers.named_parameters()}
    velocity = {name: np.zeros_like(weight) for name, weight in weights.items()}
    for _ in range(10):
        for name, param in layers.named_parameters():
            param.grad = torch.randn(param.shape, generator=generator)
            rate, decayed = (2, 0) if name.endswith("bias") else (1, decay)
            step = param.grad.double().numpy() + decayed * weights[name]
            velocity[name] = momentum * velocity[name] + lr * rate * step
            weights[name] = weights[name] - velocity[name]
        ours.update(lr)
    for name, param in layers.named_parameters():
        np.testing.assert_allclose(param.detach().numpy(), weights[name], rtol=1e-5, atol=1e-6)
        rate = 2 if name.endswith("bias") else 1
        np.testing.assert_allclose(ours.velocity[name].numpy() * lr, velocity[name] / rate, rtol=1e-4, atol=1e-6)


def test_reductions_differ_by_the_number_of_valid_pixels(tmp_path: Path) -> None:
    both = [World(tmp_path, weight_decay=0.0, reduction=reduction) for reduction in ("sum", "mean")]
    ((item,),) = both[0].batches(0, 1)
    summed, mean = (gradient(world.net, world.solver, [item]) for world in both)
    for name in summed:
        expected = mean[name] * item.valid["semantic"]
        torch.testing.assert_close(summed[name], expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def test_two_heads_add_their_losses(tmp_path: Path) -> None:
    world = World(tmp_path, heads=["semantic", "geometric"])
    assert world.net.spec.heads == {"semantic": SEMANTIC, "geometric": GEOMETRIC}
    ((item,),) = world.batches(0, 1)
    tally = world.solver.step([item])
    valid = item.valid
    assert tally.loss["semantic"] == pytest.approx(valid["semantic"] * torch.tensor(3.0).log().item(), rel=1e-5)
    assert tally.loss["geometric"] == pytest.approx(valid["geometric"] * torch.tensor(2.0).log().item(), rel=1e-5)
    assert tally.count == valid
    assert world.net.geometric.score_fr.bias.any()


def drawn_scores(classes: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores 2×classes×9×7 of spread 5 and labels of which a fifth is void."""
    generator = torch.Generator().manual_seed(0)
    scores = 5 * torch.randn(2, classes, 9, 7, generator=generator, dtype=dtype)
    label = torch.randint(0, classes, (2, 9, 7), generator=generator, dtype=torch.uint8)
    return scores.requires_grad_(), label.masked_fill(torch.rand(2, 9, 7, generator=generator) < 0.2, 255)


@pytest.mark.parametrize("weight", [None, torch.tensor([0.5, 2.0, 7.0])])
def test_the_loss_equals_torchs_and_so_does_its_gradient(weight: torch.Tensor | None) -> None:
    scores, label = drawn_scores(3, torch.float32)
    ours = cross_entropy(scores, label, 255, weight)
    theirs = functional.cross_entropy(scores, label.long(), weight, ignore_index=255, reduction="sum")
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=0)
    (got,), (want,) = (torch.autograd.grad(loss, scores) for loss in (ours, theirs))
    torch.testing.assert_close(got, want, rtol=1e-6, atol=1e-6)


def test_balanced_classes_weigh_alike() -> None:
    assert balance({"background": 800, "cat": 100, "dog": 50, "void": 3}, SEMANTIC) == (0.125, 1.0, 2.0)
    assert balance({"background": 10, "cat": 0, "dog": 30}, SEMANTIC) == (2.0, 1.0, pytest.approx(2 / 3))


@pytest.mark.parametrize("stray", [3, 37, 254])
def test_counts_valid_pixels_and_refuses_a_label_that_is_no_class(stray: int) -> None:
    assert valid_pixels(np.array([[0, 1, 2], [255, 255, 2]], np.uint8), SEMANTIC) == 4
    with pytest.raises(Refusal, match=f"label {stray} is no class: classes are 0–2, ignored is 255"):
        valid_pixels(np.array([[0, 1, stray, 255]], np.uint8), SEMANTIC)


def test_a_row_of_history_is_the_mean_loss_of_a_valid_pixel_over_its_window(tmp_path: Path) -> None:
    history = History(601)
    history.add(0, Tally(loss={"semantic": 30.0, "geometric": 8.0}, count={"semantic": 10, "geometric": 2}))
    history.add(1, Tally(loss={"semantic": 10.0, "geometric": 0.0}, count={"semantic": 30, "geometric": 2}))
    history.add(2, Tally(loss={"semantic": 1.0}, count={"semantic": 3}))
    history.add(599, Tally(loss={"semantic": 2e-9}, count={"semantic": 0}))
    history.add(600, Tally(loss={"semantic": 0.0}, count={"semantic": 0}))
    history.write(tmp_path / "runs/history.tsv")
    assert (tmp_path / "runs/history.tsv").read_bytes() == b"iteration\tloss\n3\t2.953488\n600\t0.0\n601\t0.0\n"


@pytest.mark.parametrize("iterations", [1, 7, 300, 301, 1500, 100_000])
def test_a_history_has_at_most_300_rows_and_ends_at_the_last_iteration(iterations: int) -> None:
    history = History(iterations)
    for iteration in range(iterations):
        history.add(iteration, Tally(loss={"semantic": 1.0}, count={"semantic": 1}))
    assert len(history.rows) <= ROWS
    assert history.rows[-1][0] == iterations
    assert {loss for _, loss in history.rows} == {1.0}


def test_a_half_filled_window_goes_on_from_its_state() -> None:
    whole, first, second = History(900), History(900), History(900)
    for n in range(8):
        tally = Tally(loss={"semantic": 1 / (n + 3), "geometric": 0.1 * n}, count={"semantic": n, "geometric": 7})
        whole.add(n, tally)
        (first if n < 4 else second).add(n, tally)
        if n == 3:
            second.restore(json.loads(json.dumps(first.state())))
    assert second.state() == whole.state()
