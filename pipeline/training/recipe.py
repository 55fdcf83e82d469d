"""A recipe is one row of params.yaml: which net starts from what, and how its solver runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.core.fields import bounded, read
from pipeline.core.types import Refusal

STRIDES = (4, 8, 16, 32)
SMALLEST = 32  # pixels: the coarsest cell of a smaller image may lie outside of it
# A 375×500 image has 187,500 pixels: the same step on the mean of its losses takes a rate that many times the sum's.
SLOWEST_FOR_MEAN = 1e-7
FASTEST_FOR_SUM = 1e-3


@dataclass(frozen=True, kw_only=True)
class Net:
    """Which net, and what it starts from.

    ``init`` is a weights file; ``start`` takes from it the weights, or only the architecture. ``inputs`` name the image
    columns that the net sees (``streams`` as in ``NetSpec``), and ``mean`` what is subtracted: the ``init``'s own, the
    data set's ``published`` one, or the one ``measured`` over the training split. ``heads`` name label columns.
    """

    backbone: str
    init: str
    start: Literal["init", "random"] = "init"
    inputs: tuple[str, ...] = ("color",)
    streams: Literal["early", "late"] = "early"
    mean: Literal["init", "published", "measured"] = "init"
    stride: int = 32
    skip_scales: tuple[float, ...] = ()
    fusion: Literal["sum", "max"] = "sum"
    upsampling: Literal["fixed", "learned"] = "fixed"
    heads: tuple[str, ...] = ("semantic",)


@dataclass(frozen=True, kw_only=True)
class Data:
    """The split that it learns from, altered or not: ``mirror`` mirrors half of the samples left to right, ``jitter``
    also shifts them (section 4.3: no improvement).

    ``crop`` is the side in pixels of a random window of each sample, 0 the whole of it: for pictures that are too large
    for memory. A smaller picture is taken whole.
    """

    shards: str
    split: str
    alter: Literal["none", "mirror", "jitter"] = "none"
    crop: int = bounded(0, least=0)


@dataclass(frozen=True, kw_only=True)
class SolverSpec:
    """Caffe's SGD with momentum at a fixed rate, or at one that falls to 0 along a line, as ``schedule`` says.

    One iteration takes ``batch`` images, one at a time, and follows the average of their gradients. ``reduction`` says
    what an image's loss is: the ``sum`` over its valid pixels (the authors' "heavy" nets: batch 1, momentum 0.99,
    lr 1e-10) or their ``mean`` (the CVPR paper's: batch 20, momentum 0.9, lr 1e-4). ``lr`` and ``weight_decay`` are the
    weights'; biases learn at twice the rate and do not decay, as the paper's text says of all nets; in the authors'
    voc-fcn-alexnet/net.py conv1 to fc7 have Caffe's own: rate 1 and decay. ``tune`` trains all or what scores.

    ``milestones`` keeps the weights of every so many iterations and of the last; 0 keeps none.

    What the paper tried and did not keep: ``sampling``, the share of final-layer cells that the loss counts;
    ``balance`` of the classes by their ``median`` frequency.

    ``virtual_ranks`` cuts a batch into as many equal parts; each sums its own images' gradients, and the sums are added
    in order. So as many processes, or any number that divides it, give the same bytes as one: floats add up by these
    parts, whoever computed them. Another number of parts rounds otherwise, so it belongs to the recipe.
    """

    iterations: int = bounded(least=1)
    lr: float = bounded(above=0)
    schedule: Literal["constant", "linear"] = "constant"
    momentum: float = bounded(least=0, below=1)
    seed: int = bounded(1337, least=0)
    batch: int = bounded(1, least=1)
    weight_decay: float = bounded(5e-4, least=0)
    reduction: Literal["sum", "mean"] = "sum"
    virtual_ranks: int = bounded(1, least=1)
    tune: Literal["all", "scores"] = "all"
    sampling: float = bounded(1.0, above=0)
    balance: Literal["none", "median"] = "none"
    milestones: int = bounded(0, least=0)

    def rate(self, iteration: int) -> float:
        """The learning rate of the step number ``iteration``, from 0 on."""
        return self.lr if self.schedule == "constant" else self.lr * (1 - iteration / self.iterations)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One row of ``recipes``; its ``evaluate`` is not here: what a net is scored on must not retrain it."""

    name: str
    net: Net
    data: Data
    solver: SolverSpec


def parse(name: str, row: Mapping[str, Any]) -> Recipe:
    """Read the groups ``net``, ``data`` and ``solver`` of the row ``recipes.<name>`` of params.yaml.

    Raises Refusal for an unknown, missing or ill-typed field, a stride that no net has, a window below 32 px, virtual
    ranks that do not divide the batch, and a rate that belongs to the other reduction.
    """
    recipe = read(Recipe, f"recipes.{name}", {"name": name, **row})
    where, net, solver = f"recipes.{name}", recipe.net, recipe.solver
    if net.stride not in STRIDES:
        raise Refusal(f"{where}.net.stride is {net.stride}: choose 4, 8, 16 or 32")
    for field, names in (("inputs", net.inputs), ("heads", net.heads)):
        if len(set(names)) < len(names):
            raise Refusal(f"{where}.net.{field} names a column twice: {', '.join(names)}")
    if 0 < recipe.data.crop < SMALLEST:
        raise Refusal(f"{where}.data.crop is {recipe.data.crop}: write 0 for whole images, or {SMALLEST} px or more")
    if solver.sampling > 1:
        raise Refusal(f"{where}.solver.sampling is {solver.sampling}: it is a share of the cells, at most 1")
    if solver.batch % (ranks := solver.virtual_ranks):
        raise Refusal(f"{where}.solver.virtual_ranks is {ranks}: it must divide solver.batch, {solver.batch}")
    rate = f"{where}.solver.lr is {solver.lr} with reduction {solver.reduction}"
    if solver.reduction == "mean" and solver.lr < SLOWEST_FOR_MEAN:
        raise Refusal(f"{rate}: that is a rate for summed losses; set reduction to sum, or lr near 1.0e-4")
    if solver.reduction == "sum" and solver.lr > FASTEST_FOR_SUM:
        raise Refusal(f"{rate}: that is a rate for mean losses; set reduction to mean, or lr near 1.0e-10")
    return recipe
