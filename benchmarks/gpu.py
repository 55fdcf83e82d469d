"""Train an FCN-8s-VGG16 on one made-up image in each precision and tell whether it repeats: python -m benchmarks.gpu.

Needs neither data nor dvc nor mlflow: torch, numpy, safetensors, click, tqdm.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import click

from pipeline import determinism

# determinism pins torch's kernels, so torch comes after it
# isort: split
import torch
from torch.utils.flop_counter import FlopCounterMode

from pipeline.fcn import surgery
from pipeline.fcn.net import FCN
from pipeline.fcn.spec import NetSpec
from pipeline.training.autocast import autocast
from pipeline.training.feed import Item
from pipeline.training.loss import cross_entropy
from pipeline.training.recipe import SolverSpec
from pipeline.training.solver import Solver
from pipeline.types import LabelSpec, Refusal

CLASSES = 21
LABEL = LabelSpec(classes=tuple(map(str, range(CLASSES))), palette=((0, 0, 0),) * CLASSES)
WARM = 20  # the iteration from which on time is taken and memory must not grow
SIDE = {"cuda": 8192, "cpu": 512}  # of the square matrices whose product is taken for the peak


@dataclass(frozen=True, kw_only=True)
class Work:
    """What to train: the net's width, the image's sides in pixels, how long, where."""

    width: float
    across: int
    down: int
    iterations: int
    device: str

    def spec(self) -> NetSpec:
        mean = (123.0, 117.0, 104.0)
        heads = {"semantic": LABEL}
        return NetSpec(backbone="vgg16", width=self.width, crop=224, padding=100, mean=mean, stride=8, heads=heads)

    def warm(self) -> int:
        return min(WARM, self.iterations // 2)


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a fresh process saw: its weights' digest, images/s, FLOP/s of a matrix product, bytes allocated at most."""

    sha256: str
    rate: float
    peak: float
    memory: tuple[int, int]


def run(work: Work, precision: str, repeatable: bool) -> Run:
    """Train in this process; ``repeatable`` off is torch as it comes, autotuning on."""
    device = determinism.start({"threads": 1, "device": work.device, "precision": precision})
    if not repeatable:
        torch.set_deterministic_debug_mode("default")
        torch.backends.cudnn.benchmark = True
    solver, item = made(work, precision, device)
    memory, start = 0, 0.0
    for iteration in range(work.iterations):
        if iteration == work.warm():
            memory, start = allocated(device), now(device)
        solver.step([item])
    rate = (work.iterations - work.warm()) / (now(device) - start)
    digest = hashlib.sha256()
    for _, tensor in sorted(solver.net.state_dict().items()):
        digest.update(tensor.cpu().contiguous().numpy())
    memories = memory, allocated(device)
    return Run(sha256=digest.hexdigest(), rate=rate, peak=product(precision, device), memory=memories)


def made(work: Work, precision: str, device: torch.device) -> tuple[Solver, Item]:
    """A net with random weights at the authors' rate for an FCN-32s, and its image of noise; from one seed."""
    spec, generator = work.spec(), torch.Generator().manual_seed(0)
    net = FCN(spec)
    surgery.random_start(net, spec, generator)
    autocast(net.to(device).train(), precision, device)
    image = torch.randn(1, 3, work.down, work.across, generator=generator) * surgery.INPUT_STD
    label = torch.randint(0, CLASSES, (1, work.down, work.across), generator=generator, dtype=torch.uint8)
    solver = SolverSpec(
        seed=0,
        iterations=work.iterations,
        batch=1,
        lr=1e-10,
        momentum=0.99,
        weight_decay=0.0005,
        reduction="sum",
        virtual_ranks=1,
    )
    labels, valid = {"semantic": label.to(device)}, {"semantic": label.numel()}
    return Solver(net, solver, spec.heads), Item(draw=0, id="noise", image=image.to(device), labels=labels, valid=valid)


def allocated(device: torch.device) -> int:
    return torch.cuda.max_memory_allocated() if device.type == "cuda" else 0


def now(device: torch.device) -> float:
    """Seconds, when all that was asked of the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def product(precision: str, device: torch.device) -> float:
    """FLOP/s of a large square matrix product in ``precision``, which is as fast as the device can be asked to be."""
    side, repeats = SIDE[device.type], 20
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    left, right = torch.randn(2, side, side, device=device, dtype=dtype)
    for _ in range(3):
        left @ right
    start = now(device)
    for _ in range(repeats):
        left @ right
    return 2 * side**3 * repeats / (now(device) - start)


def flops(work: Work) -> int:
    """Of one image, forward and backward, multiplications and additions apart; nothing is computed."""
    with torch.device("meta"):
        net, image = FCN(work.spec()), torch.empty(1, 3, work.down, work.across)
        label = torch.empty(1, work.down, work.across, dtype=torch.uint8)
    counter = FlopCounterMode(display=False)
    with counter:
        cross_entropy(net(image)["semantic"], label, 255).backward()  # type: ignore[no-untyped-call]
    return int(counter.get_total_flops())


def row(precision: str, runs: Sequence[Run], per_image: int) -> str:
    """One line of the table from two repeatable runs and one that is not."""
    first, second, loose = runs
    same = "yes" if first.sha256 == second.sha256 else "**no**"
    rate = max(first.rate, second.rate)
    share = f"{per_image * rate / 1e12:.3g} of {first.peak / 1e12:.3g} ({per_image * rate / first.peak:.0%})"
    early, late = first.memory
    memory = f"{late / 1e9:.2f}, " + ("flat" if early == late else f"grown from {early / 1e9:.2f}") if late else "–"
    return f"| {precision} | {same} | {rate:.2f} | {share} | {loose.rate:.2f} | {memory} |"


@click.command()
@click.option("--width", default=1.0, show_default=True)
@click.option("--size", default="500x375", show_default=True, help="Of the image, across × down, in pixels.")
@click.option("--iterations", default=200, show_default=True)
@click.option("--device", default="cuda", show_default=True, type=click.Choice(["cuda", "cpu"]))
@click.option("--precision", "precisions", multiple=True, default=("fp32", "tf32", "bf16"), show_default=True)
def main(width: float, size: str, iterations: int, device: str, precisions: tuple[str, ...]) -> None:
    """Print a Markdown table: bytes of two processes, speed, share of the peak, cost of determinism, memory."""
    across, down = map(int, size.split("x"))
    work = Work(width=width, across=across, down=down, iterations=iterations, device=device)
    card = torch.cuda.get_device_name() if device == "cuda" and torch.cuda.is_available() else device
    click.echo(f"FCN-8s-VGG16 of width {width:g} on {across}×{down}, {iterations} iterations of one image")
    click.echo(f"{card}, torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}\n")
    click.echo("| precision | same bytes twice | images/s | TFLOP/s of matmul's | images/s, any order | GB at most |")
    click.echo("|---|---|---|---|---|---|")
    per_image = flops(work)
    # A worker lives for one task: each run is a fresh process.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        for precision in precisions:
            try:
                runs = [pool.submit(run, work, precision, repeatable).result() for repeatable in (True, True, False)]
            except Refusal as refusal:
                raise click.ClickException(str(refusal)) from None
            click.echo(row(precision, runs, per_image))


if __name__ == "__main__":
    main()
