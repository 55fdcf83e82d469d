"""Train on one made-up image in each precision, beside peers, and tell whether it repeats: python -m benchmarks.gpu.

Needs neither data nor dvc nor mlflow: torch, numpy, safetensors, click, tqdm; torchvision and torchfcn where they are.
"""

import hashlib
import re
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context

import click

import pipeline.determinism  # noqa: F401 (pins torch's kernels before _steps imports torch)
from benchmarks import _steps
from benchmarks._steps import Work
from pipeline.core.types import Refusal
from pipeline.fcn.net import FCN

LADDER = {"FCN-32s": 32, "FCN-16s": 16, "FCN-8s": 8}
FINEST = "FCN-8s"
ITERATIONS = 100_000  # of each net of the ladder in the paper's VOC recipe (conf/scale/paper.yaml)
HOUR = 3600.0


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a process saw: its weights' digest, images/s, bytes allocated early and late, at most."""

    sha256: str
    rate: float
    memory: tuple[int, int]


def run(work: Work, precision: str, repeatable: bool = True) -> Run:
    """Train an FCN-8s in this process; ``repeatable`` off is torch as it comes, autotuning on."""
    device = _steps.device_of(work, precision, repeatable)
    net, step = _steps.ours(work, LADDER[FINEST], precision, device)
    early = 0
    taken = iter(range(work.iterations))

    def watched() -> None:
        nonlocal early
        if next(taken) == work.warm():
            early = _steps.allocated(device)
        step()

    rate = _steps.rate(work, watched, device)
    digest = hashlib.sha256()
    for _, tensor in sorted(net.state_dict().items()):
        digest.update(tensor.cpu().contiguous().numpy())
    return Run(sha256=digest.hexdigest(), rate=rate, memory=(early, _steps.allocated(device)))


def ladder(work: Work, precision: str) -> dict[str, float]:
    """Images/s of the coarser nets of the ladder, repeatable."""
    device = _steps.device_of(work, precision, True)
    coarser = {name: stride for name, stride in LADDER.items() if name != FINEST}
    return {
        name: _steps.rate(work, _steps.ours(work, stride, precision, device)[1], device)
        for name, stride in coarser.items()
    }


def peers(work: Work, precision: str) -> Iterator[tuple[str, float | str]]:
    """Images/s of each peer, torch as it comes, or why there are none."""
    for name in _steps.PEERS:
        if not _steps.installed(name):
            yield name, "not installed"
            continue
        device = _steps.device_of(work, precision, False)
        try:
            yield name, _steps.rate(work, _steps.theirs(name, work, precision, device), device)
        except (RuntimeError, ImportError) as error:  # torch's, of memory too; a peer's own wants
            yield name, f"failed: {str(error).splitlines()[0][:60]}"


@cache
def flops(work: Work, name: str) -> int:
    """Of one image's training step by our net or a peer's."""
    return _steps.flops(_steps.PEERS.get(name) or partial(FCN, work.spec(LADDER.get(name, 8))), work)


def repeats(precision: str, runs: tuple[Run, Run, Run], per_image: int, peak: float) -> str:
    """A line of the first table, from two repeatable runs and one that is not."""
    first, second, loose = runs
    same = "yes" if first.sha256 == second.sha256 else "**no**"
    rate = max(first.rate, second.rate)
    early, late = first.memory
    memory = f"{late / 1e9:.2f}, " + ("flat" if early == late else f"grown from {early / 1e9:.2f}") if late else "–"
    return f"| {precision} | {same} | {rate:.2f} | {share(per_image * rate, peak)} | {loose.rate:.2f} | {memory} |"


def beside(name: str, precision: str, found: float | str, work: Work, peak: float) -> str:
    """A line of the second table."""
    if isinstance(found, str):
        return f"| {name} | {precision} | {found} | – | – |"
    hours = ITERATIONS / found / HOUR
    return f"| {name} | {precision} | {found:.3g} | {share(flops(work, name) * found, peak)} | {hours:.1f} |"


def share(used: float, peak: float) -> str:
    return f"{used / 1e12:.3g} of {peak / 1e12:.3g} ({used / peak:.0%})"


@click.command()
@click.option("--width", default=1.0, show_default=True, help="Of our nets.")
@click.option("--size", default="500x375", show_default=True, help="Of the image, across × down, in pixels.")
@click.option("--iterations", default=200, show_default=True, type=click.IntRange(min=2))
@click.option("--device", default="cuda", show_default=True, type=click.Choice(["cuda", "cpu"]))
@click.option("--precision", "precisions", multiple=True, default=("fp32", "tf32", "bf16"), show_default=True)
def main(width: float, size: str, iterations: int, device: str, precisions: tuple[str, ...]) -> None:
    """Print two Markdown tables: whether two processes write the same bytes and what that costs; nets and peers."""
    if not (sides := re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", size)):
        raise click.ClickException(f"--size {size}: write pixels across x down, such as 500x375")
    across, down = map(int, sides.groups())
    work = Work(width=width, across=across, down=down, iterations=iterations, device=device)
    click.echo(f"FCN-8s-VGG16 of width {width:g} on {across}×{down}, {iterations} iterations of one image")
    click.echo(f"{_steps.machine(device)}\n")
    click.echo("| precision | same bytes twice | images/s | TFLOP/s of matmul's | images/s, any order | GB at most |")
    click.echo("|---|---|---|---|---|---|")
    lines = []
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        for precision in precisions:
            try:
                first = run(work, precision)
            except Refusal as refusal:
                raise click.ClickException(str(refusal)) from None
            second, loose = (other.submit(run, work, precision, again).result() for again in (True, False))
            peak = _steps.product(precision, device)
            click.echo(repeats(precision, (first, second, loose), flops(work, FINEST), peak))
            rates = {**ladder(work, precision), FINEST: max(first.rate, second.rate)}
            rows = [*rates.items(), *peers(work, precision)]
            lines += [beside(name, precision, found, work, peak) for name, found in rows]
            hours = sum(ITERATIONS / rate / HOUR for rate in rates.values())
            lines.append(f"| 32s, 16s, 8s, one after another | {precision} | – | – | {hours:.1f} |")
    click.echo(f"\n| net | precision | images/s | TFLOP/s of matmul's | hours of {ITERATIONS:,} iterations |")
    click.echo("|---|---|---|---|--:|\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
