"""Train a recipe's net on its shards, from its first weights to a checkpoint and a history."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from pipeline.core.types import Refusal
from pipeline.fcn.net import FCN, LateFCN
from pipeline.runtime.distributed import ALONE, Group
from pipeline.shards.reader import Shards
from pipeline.shards.schema import ROW_GROUP, Manifest, read_manifest
from pipeline.training import surgery
from pipeline.training.feed import Feed
from pipeline.training.loss import History, balance
from pipeline.training.milestones import Milestones
from pipeline.training.recipe import Recipe
from pipeline.training.resume import Snapshots
from pipeline.training.solver import Solver
from pipeline.weights import checkpoint

GROUPS = 64  # row groups of photographs that stay in memory, 2 MB each
ENCODED = 1 << 30  # bytes of larger pictures that do

Call = Callable[[], None]  # after each iteration
Watching = Callable[[FCN | LateFCN, Solver, Feed, History], Call]


def train(
    recipe: Recipe,
    *,
    shards: Path,
    init: Path,
    model: Path,
    history: Path,
    milestones: Path | None = None,
    device: torch.device,
    say: Callable[[str], None],
    precision: str = "fp32",
    snapshots: Snapshots | None = None,
    group: Group = ALONE,
    workers: int = 1,
    rows: Sequence[int] | None = None,
    watch: Watching | None = None,
) -> None:
    """Write the weights ``model`` and the losses ``history``; ``say`` hears where the first weights come from.

    The folder ``milestones`` gets the weights of the way. They wait beside ``snapshots``; without these there are none.

    The net computes in ``precision`` (``autocast``). With ``snapshots`` it goes on from the newest, and removes them
    when it is done; the same bytes come out. Every process of ``group`` calls this alike and computes its virtual
    ranks; the first writes and speaks. ``workers`` and ``rows`` as in ``Feed``. What ``watch`` makes of the training is
    called after each iteration; it only looks on.

    Raises Refusal when recipe, shards and init do not fit together, the processes cannot share the virtual ranks
    evenly, a label is no class, or the loss is not finite; Stopped when ``snapshots`` are asked to stop.
    """
    _check_share(recipe, group)
    groups = _groups(read_manifest(shards))
    samples = Shards(shards, columns=[*recipe.net.inputs, *recipe.net.heads], groups=groups)
    net, report = surgery.start(recipe, init, samples.manifest)
    for line in surgery.summary(report) if group.leads else ():
        say(line)
    autocast(net.to(device).train(), precision, device)
    if recipe.solver.tune == "scores":
        for name, parameter in net.named_parameters():
            parameter.requires_grad_(".score_" in name or ".upscore" in name)
    solver = Solver(net, recipe.solver, net.spec.heads, _weights(recipe, samples.manifest, device), group)
    losses = History(recipe.solver.iterations)
    feed = Feed(
        shards=samples,
        seed=recipe.solver.seed,
        net=net.spec,
        device=device,
        alter=recipe.data.alter,
        crop=recipe.data.crop,
        sampling=recipe.solver.sampling,
        group=group,
        workers=workers,
        rows=rows,
    )
    if snapshots:
        snapshots.resume(solver, losses)
    kept = None
    if snapshots and milestones and group.leads:
        kept = Milestones(snapshots.folder / "milestones", recipe.solver)
        kept.refuse_lost(solver.iteration)
    began = time.perf_counter()
    look = watch(net, solver, feed, losses) if watch else None
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused, in one line
        run(solver, feed, losses, recipe.name, snapshots, look, kept)
    tensors = net.state_dict()
    if bad := [name for name, tensor in tensors.items() if not tensor.isfinite().all()]:
        raise Refusal(f"{bad[0]} is not finite after iteration {solver.iteration - 1}: lower solver.lr")
    if group.leads:
        seconds = time.perf_counter() - began
        say(f"trained for {seconds:.0f} s, {feed.waited / seconds:.1%} of them waiting for samples")
        if kept and milestones:
            kept.hand_over(milestones)
        checkpoint.save(model, tensors, net.spec)
        losses.write(history)
    if snapshots:
        snapshots.clear()


def _groups(manifest: Manifest) -> int:
    """How many row groups stay in memory: one of pictures of 40 MB has 640 MB."""
    size = sum(shard.bytes for shard in manifest.shards) * ROW_GROUP / max(1, manifest.rows)
    return max(1, min(GROUPS, int(ENCODED / max(1, size))))


def _check_share(recipe: Recipe, group: Group) -> None:
    ranks = recipe.solver.virtual_ranks
    if ranks % group.size:
        raise Refusal(
            f"{group.size} processes cannot share recipes.{recipe.name}.solver.virtual_ranks, {ranks}, evenly: "
            f"start {' or '.join(str(count) for count in range(1, ranks + 1) if ranks % count == 0)}, or change it"
        )


def _weights(recipe: Recipe, manifest: Manifest, device: torch.device) -> dict[str, torch.Tensor]:
    labels = {head: manifest.spec.labels[head] for head in recipe.net.heads if recipe.solver.balance != "none"}
    return {head: torch.tensor(balance(manifest.pixels[head], one), device=device) for head, one in labels.items()}


def run(
    solver: Solver,
    feed: Feed,
    losses: History,
    name: str,
    snapshots: Snapshots | None,
    look: Call | None,
    kept: Milestones | None = None,
) -> None:
    """Take the solver from its iteration to its last, under a bar of images/s, time left and loss."""
    spec = solver.spec
    smooth: float | None = None
    done = solver.iteration * spec.batch
    hidden = None if solver.group.leads else True  # None: shown where somebody looks
    with tqdm(total=spec.iterations * spec.batch, initial=done, desc=name, unit="image", disable=hidden) as bar:
        for batch in feed.batches(solver.iteration, spec.iterations, spec.batch):
            tally = solver.step(batch)
            losses.add(solver.iteration - 1, tally)
            loss = tally.per_pixel()
            smooth = loss if smooth is None else smooth + 0.02 * (loss - smooth)
            bar.set_postfix(loss=f"{smooth:.4f}", refresh=False)
            bar.update(spec.batch)
            if kept and solver.iteration in kept.iterations:  # before a snapshot that is past it
                kept.keep(solver.iteration, solver.net.state_dict(), feed.net)
            if look:
                look()
            if snapshots:
                snapshots.beat(solver, losses)


def autocast(net: nn.Module, precision: str, device: torch.device) -> None:
    """Let ``net``, which is on ``device``, compute as runtime.precision says from now on; its scores stay float32.

    ``net`` maps an image to {head: scores} and is changed in place, its tensors' names and numbers are not.
    ``bf16``: convolutions and products take bfloat16, backward too; each weight's gradient is summed in float32.
    ``tf32`` is a flag that ``determinism.start`` sets. On CUDA both keep images channels last, as tensor cores' kernels
    take them; a CPU needs nearly twice the time that way.
    """
    if device.type == "cuda" and precision != "fp32":
        net.to(memory_format=torch.channels_last)
    if precision != "bf16":
        return
    forward = net.forward

    def cast(image: Tensor) -> dict[str, Tensor]:
        with torch.autocast(device.type, torch.bfloat16):
            scores = forward(image)
        return {head: score.float() for head, score in scores.items()}

    net.forward = cast
