"""Make a recipe's net and give it its first weights, by name from a parent; every tensor is accounted for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline import determinism
from pipeline.backbones.shared.random_start import random_start
from pipeline.core import plugins
from pipeline.core.types import LabelSpec, Refusal
from pipeline.fcn.net import FCN, LateFCN, make
from pipeline.shards.schema import Manifest
from pipeline.spec import NetSpec
from pipeline.training.recipe import Recipe
from pipeline.weights import checkpoint

FINER = (16, 8, 4)  # strides with a skip
CHOSEN = ("inputs", "streams", "stride", "skip_scales", "fusion", "upsampling")  # by the recipe, as they are

SHOWN = 12  # names in a line: an FCN-8s of two heads scores in so many tensors
DROPPED = "dropped, for its classes are others"
Report = dict[str, str]  # tensor -> copied | bilinear | random | zero; init's tensor -> DROPPED


@torch.no_grad()
def transplant(
    net: nn.Module, tensors: Mapping[str, Tensor], *, fresh: Sequence[str] = (), dropped: Sequence[str] = ()
) -> Report:
    """Copy ``tensors`` into ``net`` by name and report what became of each of the net's.

    ``fresh`` are patterns (``*.score_pool4.*``) of tensors that may keep what they have because there is no donor;
    ``dropped`` are patterns of donors that may go unused.
    Raises Refusal, naming the tensor, for anything else that does not match. The net is then unchanged.
    """
    state = net.state_dict()
    for name in tensors:
        if name not in state and not _matches(name, dropped):
            raise Refusal(f"{name} has no place in the net: give the net that layer, or drop the tensor by name")
    report = {name: _fate(name, state[name], tensors.get(name), fresh) for name in state}
    for name, fate in report.items():
        if fate == "copied":
            state[name].copy_(tensors[name])
    return report


def inherit(net: nn.Module, spec: NetSpec, parent: NetSpec, tensors: Mapping[str, Tensor]) -> Report:
    """Start the net of ``spec`` from a checkpoint: a convolutionalized classifier, or a trained net.

    From a classifier all score layers stay zero and its own is dropped. From a net of the same classes, of its stride
    or a coarser one, only the skips that it lacks do. A head whose classes have other names than the ``parent``'s, or
    which the ``parent`` has not, begins at zero whatever the strides: the ``parent``'s layers for it are dropped, and
    so reported. Learned upsampling that nothing fills begins bilinear.

    Raises Refusal when the two nets differ in anything but stride, padding, skips and new heads; for a classifier and
    for other classes another mean may be subtracted, and a classifier may be shown other inputs.
    """
    classifier = any(name.startswith("score.") for name in tensors)
    new = [head for head, ours in spec.heads.items() if classifier or not _same_classes(ours, parent.heads.get(head))]
    free = {"inputs", "mean"} if classifier else {"mean"} if new else set()
    for field in ("backbone", "width", "crop", "streams", "inputs", "mean"):
        here, there = getattr(spec, field), getattr(parent, field)
        if field not in free and here != there:
            raise Refusal(f"the net has {field} {here} but its init has {there}: take {field} from the init")
    grown = ["*.upscore*"] if spec.upsampling == "learned" else []
    scores = _layers_of(new, "score_*")
    if classifier:
        first = f"backbone.{plugins.load('backbones', spec.backbone).FIRST}.weight"
        tensors = {**tensors, first: first_filters(tensors[first], spec.inputs)}
        return transplant(net, tensors, fresh=[*grown, *scores], dropped=["score.*"])
    gone = _layers_of([head for head in parent.heads if head in new or head not in spec.heads], "*")
    kept = {name: tensor for name, tensor in tensors.items() if not _matches(name, gone)}
    finer = [stride.bit_length() - 1 for stride in FINER if spec.stride <= stride < parent.stride]
    skips = [f"*{head}.score_pool{n}.*" for head in spec.heads for n in finer]
    report = transplant(net, kept, fresh=[*grown, *scores, *skips])
    return report | {f"init's {name}": DROPPED for name in tensors if name not in kept}


def _same_classes(ours: LabelSpec, theirs: LabelSpec | None) -> bool:
    return theirs is not None and ours.classes == theirs.classes


def _layers_of(heads: Sequence[str], layers: str) -> list[str]:
    """Patterns of the tensors of ``heads``, in a net of one stream and of several."""
    return [f"{stream}{head}.{layers}" for head in heads for stream in ("", "*.")]


def first_filters(first: Tensor, inputs: Sequence[str]) -> Tensor:
    """A first convolution of RGB (O×3×k×k) as one of ``inputs``, channels one behind the other.

    A depth meets the mean of the colour filters (``nyud-fcn32s-color-d/solve.py``). HHA's channels meet them in Caffe's
    order: the authors fed it as stored to filters of BGR, so disparity meets the blue ones and angle the red ones.
    """
    filters = {"color": first, "hha": first.flip(1), "depth": first.mean(1, keepdim=True)}
    for column in inputs:
        if column not in filters:
            raise Refusal(f"no filters for inputs of {column}: a net can see {', '.join(filters)}")
    return torch.cat([filters[column] for column in inputs], 1)


def _fate(name: str, place: Tensor, donor: Tensor | None, fresh: Sequence[str]) -> str:
    if donor is None:
        if not _matches(name, fresh):
            raise Refusal(f"nothing to fill {name} with: take an init that has it, or allow it to start fresh")
        return "bilinear" if ".upscore" in name else "random" if place.any() else "zero"
    if donor.shape == place.shape:
        return "copied"
    ours, theirs = ("×".join(map(str, tensor.shape)) for tensor in (place, donor))
    raise Refusal(f"{name} is {ours} in the net but {theirs} in the init: the two nets differ")


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def start(recipe: Recipe, init: Path, manifest: Manifest) -> tuple[FCN | LateFCN, Report]:
    """The recipe's net with its first weights, on the CPU, and what became of each tensor.

    Backbone, width, crop and padding are ``init``'s, the rest is the recipe's. ``start: init`` inherits the weights
    too; ``random`` draws others.
    """
    ours = recipe.net
    parent, tensors = checkpoint.load(init)
    if ours.backbone != parent.backbone:
        raise Refusal(f"recipes.{recipe.name}.net.backbone is {ours.backbone}, {init} is {parent.backbone}: change one")
    chosen: dict[str, Any] = {name: getattr(ours, name) for name in CHOSEN}
    spec = replace(parent, **chosen, mean=_mean(recipe, parent, manifest), heads=_heads(recipe, manifest))
    net = make(spec)
    if ours.start == "init":
        return net, inherit(net, spec, parent, tensors)
    generator = torch.Generator().manual_seed(determinism.mix(recipe.solver.seed, "start"))
    return net, random_start(net, spec, generator)


def _mean(recipe: Recipe, parent: NetSpec, manifest: Manifest) -> tuple[float, ...]:
    net, dataset, where = recipe.net, manifest.spec, f"recipes.{recipe.name}.net.mean is {recipe.net.mean}"
    if net.mean == "init":
        if net.inputs != parent.inputs:
            saw, sees = ", ".join(parent.inputs), ", ".join(net.inputs)
            raise Refusal(f"{where}, but {net.init} saw {saw}, not {sees}: write published or measured")
        return parent.mean
    known = dataset.mean if net.mean == "published" else {name: m.mean for name, m in manifest.moments.items()}
    for column in net.inputs:
        if column not in known:
            raise Refusal(f"{where}, but of {dataset.name}'s {column} there is none: write another mean")
    return tuple(value for column in net.inputs for value in known[column])


def _heads(recipe: Recipe, manifest: Manifest) -> dict[str, LabelSpec]:
    labels = manifest.spec.labels
    for head in recipe.net.heads:
        if head not in labels:
            known = f"{manifest.spec.name} labels {', '.join(labels)}"
            raise Refusal(f"recipes.{recipe.name}.net.heads names {head!r}: {known}")
    return {head: labels[head] for head in recipe.net.heads}


def summary(report: Report) -> list[str]:
    """One line for each fate that tensors met, with how many they are and, where few, which."""
    lines = []
    for fate in sorted(set(report.values())):
        names = [name for name, met in report.items() if met == fate]
        shown = ", ".join(names if len(names) <= SHOWN else [names[0], "…", names[-1]])
        lines.append(f"{fate}: {len(names)} tensors ({shown})")
    return lines
