"""Train a recipe's net on its shards, from its first weights to a checkpoint and a history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from tqdm import tqdm

from pipeline import determinism
from pipeline.fcn import checkpoint, surgery
from pipeline.fcn.net import FCN
from pipeline.fcn.spec import NetSpec
from pipeline.shards.reader import Shards
from pipeline.shards.schema import Manifest
from pipeline.training.feed import Feed
from pipeline.training.history import History
from pipeline.training.recipe import Recipe
from pipeline.training.solver import Solver
from pipeline.types import DatasetSpec, LabelSpec, Refusal

Say = Callable[[str], None]


def train(recipe: Recipe, *, shards: Path, init: Path, out: Path, device: torch.device, say: Say) -> None:
    """Write ``out/model.safetensors`` and ``out/history.tsv``; ``say`` is told where the first weights come from.

    Raises Refusal when recipe, shards and init do not fit together, a label is no class, or the loss is not finite.
    """
    samples = Shards(shards, columns=[*recipe.inputs, *recipe.heads])
    net, report = start(recipe, init, samples.manifest)
    for line in summary(report):
        say(line)
    net.to(device).train()
    solver = Solver(net, recipe.solver, net.spec.heads)
    history = History(recipe.solver.iterations)
    feed = Feed(samples, seed=recipe.solver.seed, net=net.spec, device=device)
    run(solver, feed, history, name=recipe.name)
    tensors = net.state_dict()
    if lost := [name for name, tensor in tensors.items() if not tensor.isfinite().all()]:
        raise Refusal(f"{lost[0]} is not finite after iteration {solver.iteration - 1}: lower solver.lr")
    checkpoint.save(out / "model.safetensors", tensors, net.spec)
    history.write(out / "history.tsv")


def start(recipe: Recipe, init: Path, manifest: Manifest) -> tuple[FCN, surgery.Report]:
    """The recipe's net with its first weights, on the CPU, and what became of each tensor.

    The net is ``init``'s but for inputs, mean, stride and heads. ``start: init`` inherits its weights too; ``random``
    draws others.
    """
    parent, tensors = checkpoint.load(init)
    if recipe.backbone != parent.backbone:
        raise Refusal(f"recipes.{recipe.name}.backbone is {recipe.backbone}, {init} is {parent.backbone}: change one")
    heads, mean = _heads(recipe, manifest.spec), _mean(recipe, parent, manifest)
    net = FCN(replace(parent, inputs=recipe.inputs, mean=mean, stride=recipe.stride, heads=heads))
    if recipe.start == "init":
        return net, surgery.inherit(net, net.spec, parent, tensors)
    generator = torch.Generator().manual_seed(determinism.mix(recipe.solver.seed, "start"))
    return net, surgery.random_start(net, net.spec, generator)


def _mean(recipe: Recipe, parent: NetSpec, manifest: Manifest) -> tuple[float, ...]:
    column, dataset = recipe.inputs[0], manifest.spec
    if recipe.mean == "measured":
        return manifest.moments[column].mean
    if recipe.mean == "published":
        if column not in dataset.mean:
            raise Refusal(
                f"recipes.{recipe.name}.mean is published, but nobody published one of {dataset.name}'s {column}: "
                "write measured"
            )
        return dataset.mean[column]
    if recipe.inputs != parent.inputs:
        raise Refusal(
            f"recipes.{recipe.name}.mean is init, but {recipe.init} saw {', '.join(parent.inputs)}, not {column}: "
            "write published or measured"
        )
    return parent.mean


def _heads(recipe: Recipe, dataset: DatasetSpec) -> dict[str, LabelSpec]:
    for head in recipe.heads:
        if head not in dataset.labels:
            raise Refusal(
                f"recipes.{recipe.name}.heads names {head!r}: {dataset.name} labels {', '.join(dataset.labels)}"
            )
    return {head: dataset.labels[head] for head in recipe.heads}


def run(solver: Solver, feed: Feed, history: History, *, name: str) -> None:
    """Take the solver from where it stands to its last iteration, under a bar of images/s, time left and loss."""
    spec = solver.spec
    smooth: float | None = None
    done = solver.iteration * spec.batch
    with tqdm(total=spec.iterations * spec.batch, initial=done, desc=name, unit="image", disable=None) as bar:
        for batch in feed.batches(solver.iteration, spec.iterations, spec.batch):
            tally = solver.step(batch)
            history.add(solver.iteration - 1, tally)
            loss = tally.per_pixel()
            smooth = loss if smooth is None else smooth + 0.02 * (loss - smooth)
            bar.set_postfix(loss=f"{smooth:.4f}", refresh=False)
            bar.update(spec.batch)


def summary(report: surgery.Report) -> list[str]:
    """One line for each fate that tensors met, with how many they are and, where few, which."""
    lines = []
    for fate in sorted(set(report.values())):
        names = [name for name, met in report.items() if met == fate]
        shown = ", ".join(names if len(names) <= 6 else [names[0], "…", names[-1]])
        lines.append(f"{fate}: {len(names)} tensors ({shown})")
    return lines
