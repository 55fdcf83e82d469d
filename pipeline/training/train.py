"""Train a recipe's net on its shards, from its first weights to a checkpoint and a history."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from tqdm import tqdm

from pipeline import determinism
from pipeline.backbones.shared.random_start import random_start
from pipeline.core.types import LabelSpec, Refusal
from pipeline.fcn.net import FCN, LateFCN, make
from pipeline.runtime.distributed import ALONE, Group
from pipeline.shards.reader import Shards
from pipeline.shards.schema import Manifest
from pipeline.spec import NetSpec
from pipeline.training import surgery
from pipeline.training.autocast import autocast
from pipeline.training.feed import Feed
from pipeline.training.history import History
from pipeline.training.loss import balance
from pipeline.training.recipe import Recipe
from pipeline.training.resume import Snapshots
from pipeline.training.solver import Solver
from pipeline.weights import checkpoint

Watching = Callable[[FCN | LateFCN, Solver, Feed, History], Callable[[], None]]


def train(
    recipe: Recipe,
    *,
    shards: Path,
    init: Path,
    model: Path,
    history: Path,
    device: torch.device,
    say: Callable[[str], None],
    precision: str = "fp32",
    snapshots: Snapshots | None = None,
    group: Group = ALONE,
    workers: int = 1,
    watch: Watching | None = None,
) -> None:
    """Write the weights ``model`` and the losses ``history``; ``say`` hears where the first weights come from.

    The net computes in ``precision`` (``autocast``). With ``snapshots`` it goes on from the newest, and removes them
    when it is done; the same bytes come out. Every process of ``group`` calls this alike and computes its virtual
    ranks; the first writes and speaks. ``workers`` as in ``Feed``. What ``watch`` makes of the training is called
    after each iteration; it only looks on.

    Raises Refusal when recipe, shards and init do not fit together, the processes cannot share the virtual ranks
    evenly, a label is no class, or the loss is not finite; Stopped when ``snapshots`` are asked to stop.
    """
    _check_share(recipe, group)
    samples = Shards(shards, columns=[*recipe.net.inputs, *recipe.net.heads])
    net, report = start(recipe, init, samples.manifest)
    for line in summary(report) if group.leads else ():
        say(line)
    autocast(net.to(device).train(), precision, device)
    if recipe.solver.tune == "scores":
        for name, parameter in net.named_parameters():
            parameter.requires_grad_(".score_" in name or ".upscore" in name)
    solver = Solver(net, recipe.solver, net.spec.heads, _weights(recipe, samples.manifest, device), group)
    losses = History(recipe.solver.iterations)
    feed = Feed(
        samples,
        seed=recipe.solver.seed,
        net=net.spec,
        device=device,
        jitter=recipe.data.alter == "jitter",
        sampling=recipe.solver.sampling,
        group=group,
        workers=workers,
    )
    if snapshots:
        snapshots.resume(solver, losses)
    began = time.perf_counter()
    look = watch(net, solver, feed, losses) if watch else None
    run(solver, feed, losses, name=recipe.name, snapshots=snapshots, look=look)
    tensors = net.state_dict()
    if bad := [name for name, tensor in tensors.items() if not tensor.isfinite().all()]:
        raise Refusal(f"{bad[0]} is not finite after iteration {solver.iteration - 1}: lower solver.lr")
    if group.leads:
        seconds = time.perf_counter() - began
        say(f"trained for {seconds:.0f} s, {feed.waited / seconds:.1%} of them waiting for samples")
        checkpoint.save(model, tensors, net.spec)
        losses.write(history)
    if snapshots:
        snapshots.clear()


def _check_share(recipe: Recipe, group: Group) -> None:
    ranks = recipe.solver.virtual_ranks
    if ranks % group.size:
        raise Refusal(
            f"{group.size} processes cannot share recipes.{recipe.name}.solver.virtual_ranks, {ranks}, evenly: "
            f"start {' or '.join(str(count) for count in range(1, ranks + 1) if ranks % count == 0)}, or change it"
        )


def start(recipe: Recipe, init: Path, manifest: Manifest) -> tuple[FCN | LateFCN, surgery.Report]:
    """The recipe's net with its first weights, on the CPU, and what became of each tensor.

    Backbone, width, crop and padding are ``init``'s, the rest is the recipe's. ``start: init`` inherits the weights
    too; ``random`` draws others.
    """
    ours = recipe.net
    parent, tensors = checkpoint.load(init)
    if ours.backbone != parent.backbone:
        raise Refusal(f"recipes.{recipe.name}.net.backbone is {ours.backbone}, {init} is {parent.backbone}: change one")
    spec = replace(
        parent,
        inputs=ours.inputs,
        streams=ours.streams,
        mean=_mean(recipe, parent, manifest),
        stride=ours.stride,
        skip_scales=ours.skip_scales,
        fusion=ours.fusion,
        upsampling=ours.upsampling,
        heads=_heads(recipe, manifest),
    )
    net = make(spec)
    if ours.start == "init":
        return net, surgery.inherit(net, spec, parent, tensors)
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


def _weights(recipe: Recipe, manifest: Manifest, device: torch.device) -> dict[str, torch.Tensor]:
    if recipe.solver.balance == "none":
        return {}
    return {
        head: torch.tensor(balance(manifest.pixels[head], manifest.spec.labels[head]), device=device)
        for head in recipe.net.heads
    }


def _heads(recipe: Recipe, manifest: Manifest) -> dict[str, LabelSpec]:
    labels = manifest.spec.labels
    for head in recipe.net.heads:
        if head not in labels:
            known = f"{manifest.spec.name} labels {', '.join(labels)}"
            raise Refusal(f"recipes.{recipe.name}.net.heads names {head!r}: {known}")
    return {head: labels[head] for head in recipe.net.heads}


def run(
    solver: Solver,
    feed: Feed,
    history: History,
    *,
    name: str,
    snapshots: Snapshots | None = None,
    look: Callable[[], None] | None = None,
) -> None:
    """Take the solver from its iteration to its last, under a bar of images/s, time left and loss."""
    spec = solver.spec
    smooth: float | None = None
    done = solver.iteration * spec.batch
    hidden = None if solver.group.leads else True  # None: shown where somebody looks
    with tqdm(total=spec.iterations * spec.batch, initial=done, desc=name, unit="image", disable=hidden) as bar:
        for batch in feed.batches(solver.iteration, spec.iterations, spec.batch):
            tally = solver.step(batch)
            history.add(solver.iteration - 1, tally)
            loss = tally.per_pixel()
            smooth = loss if smooth is None else smooth + 0.02 * (loss - smooth)
            bar.set_postfix(loss=f"{smooth:.4f}", refresh=False)
            bar.update(spec.batch)
            if look:
                look()
            if snapshots:
                snapshots.beat(solver, history)


def summary(report: surgery.Report) -> list[str]:
    """One line for each fate that tensors met, with how many they are and, where few, which."""
    lines = []
    for fate in sorted(set(report.values())):
        names = [name for name, met in report.items() if met == fate]
        shown = ", ".join(names if len(names) <= 6 else [names[0], "…", names[-1]])
        lines.append(f"{fate}: {len(names)} tensors ({shown})")
    return lines
