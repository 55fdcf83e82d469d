"""A recipe is one row of params.yaml: which net starts from what, and how its solver runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.core.fields import bounded, read
from pipeline.core.types import Refusal

STRIDES = (4, 8, 16, 32)
# A 375×500 image has 187,500 pixels: the same step on the mean of its losses takes a rate that many times the sum's.
SLOWEST_FOR_MEAN = 1e-7
FASTEST_FOR_SUM = 1e-3


@dataclass(frozen=True, kw_only=True)
class SolverSpec:
    """Caffe's SGD with momentum at a fixed rate.

    One iteration takes ``batch`` images, one at a time, and follows the average of their gradients. ``reduction`` says
    what an image's loss is: the ``sum`` over its valid pixels (the authors' "heavy" nets: batch 1, momentum 0.99,
    lr 1e-10) or their ``mean`` (the CVPR paper's: batch 20, momentum 0.9, lr 1e-4). ``lr`` and ``weight_decay`` are the
    weights'; biases learn at twice the rate and do not decay.

    ``virtual_ranks`` cuts a batch into as many equal parts; each sums its own images' gradients, and the sums are added
    in order. So as many processes, or any number that divides it, give the same bytes as one: floats add up by these
    parts, whoever computed them. Another number of parts rounds otherwise, so it belongs to the recipe.
    """

    seed: int = bounded(least=0)
    iterations: int = bounded(least=1)
    batch: int = bounded(least=1)
    lr: float = bounded(above=0)
    momentum: float = bounded(least=0, below=1)
    weight_decay: float = bounded(least=0)
    reduction: Literal["sum", "mean"]
    virtual_ranks: int = bounded(least=1)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One published net.

    ``init`` is a weights file; ``start`` takes from it the weights, or only the architecture; ``tune`` trains all of
    them or the layers that score. ``inputs`` name the image columns that the net sees (``streams`` as in ``NetSpec``),
    and ``mean`` what is subtracted: the ``init``'s own, the dataset's ``published`` one, or the one ``measured`` over
    ``train``. ``stride``, ``skip_scales``, ``fusion`` and ``upsampling`` are the net's; ``heads`` name label columns;
    ``train`` is a shard folder, dataset/split.

    What the paper tried and did not keep: ``alter`` samples by mirroring and ``jitter``; ``sampling``, the share of
    final-layer cells that the loss counts; ``balance`` of the classes by their ``median`` frequency.
    The row's ``evaluate`` is not here: what a net is scored on must not retrain it.
    """

    name: str
    backbone: str
    init: str
    start: Literal["init", "random"]
    tune: Literal["all", "scores"]
    inputs: tuple[str, ...]
    streams: Literal["early", "late"]
    mean: Literal["init", "published", "measured"]
    stride: int
    skip_scales: tuple[float, ...]
    fusion: Literal["sum", "max"]
    upsampling: Literal["fixed", "learned"]
    heads: tuple[str, ...]
    train: str
    alter: Literal["none", "jitter"]
    sampling: float = bounded(above=0)
    balance: Literal["none", "median"]
    solver: SolverSpec


def parse(name: str, row: Mapping[str, Any]) -> Recipe:
    """Read the row ``recipes.<name>`` of params.yaml; its ``evaluate``, if there, is the evaluate stage's.

    Raises Refusal for an unknown, missing or ill-typed field, a stride that no net has, virtual ranks that do not
    divide the batch, and a rate that belongs to the other reduction.
    """
    ours = {"name": name, **{field: value for field, value in row.items() if field != "evaluate"}}
    recipe = read(Recipe, f"recipes.{name}", ours)
    if recipe.stride not in STRIDES:
        raise Refusal(f"recipes.{name}.stride is {recipe.stride}: choose 4, 8, 16 or 32")
    if len(set(recipe.inputs)) < len(recipe.inputs):
        raise Refusal(f"recipes.{name}.inputs names a column twice: {', '.join(recipe.inputs)}")
    if recipe.sampling > 1:
        raise Refusal(f"recipes.{name}.sampling is {recipe.sampling}: it is a share of the cells, at most 1")
    if len(set(recipe.heads)) < len(recipe.heads):
        raise Refusal(f"recipes.{name}.heads names a head twice: {', '.join(recipe.heads)}")
    if recipe.solver.batch % recipe.solver.virtual_ranks:
        raise Refusal(
            f"recipes.{name}.solver.virtual_ranks is {recipe.solver.virtual_ranks}: "
            f"it must divide solver.batch, {recipe.solver.batch}"
        )
    _check_rate(name, recipe.solver)
    return recipe


def _check_rate(name: str, solver: SolverSpec) -> None:
    where = f"recipes.{name}.solver.lr is {solver.lr} with reduction {solver.reduction}"
    if solver.reduction == "mean" and solver.lr < SLOWEST_FOR_MEAN:
        raise Refusal(f"{where}: that is a rate for summed losses; set reduction to sum, or lr near 1.0e-4")
    if solver.reduction == "sum" and solver.lr > FASTEST_FOR_SUM:
        raise Refusal(f"{where}: that is a rate for mean losses; set reduction to mean, or lr near 1.0e-10")
