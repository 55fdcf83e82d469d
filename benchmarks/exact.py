"""A trial of products that are the same bytes in any order of summation: python -m benchmarks.exact prints a table.

Both factors of a product of length K are rounded to a grid of b bits with 2·b + log2(K) ≤ 53. Then float64 adds all
K products without rounding, so that no order, number of threads or processor can change the sum (docs/exact.md).
"""

import math
import time

import click
import pipeline.determinism  # before torch, whose kernels it pins
import torch
from torch import Tensor
from torch.nn import functional

from pipeline.backbones.shared.product import product

LAYERS = {  # channels in, channels out, kernel, side of the map
    "thin 3×3": (16, 16, 3, 64),
    "3×3": (64, 64, 3, 64),
    "wide 3×3": (256, 256, 3, 32),
    "1×1": (256, 64, 1, 32),
    "fc6": (128, 512, 7, 12),
}


def on_grid(x: Tensor, bits: int) -> Tensor:
    """``x`` in float64, rounded to multiples of a power of two, of which its largest value has at most 2^bits."""
    scale = math.ldexp(1.0, bits - math.frexp(float(x.abs().max()))[1])
    return (x.double() * scale).round_().div_(scale)


def exact(x: Tensor, weight: Tensor) -> Tensor:
    """The convolution of N×C×H×W float32, without padding, as float32."""
    bits = 53 - math.ceil(math.log2(weight[0].numel())) - 1
    cells = functional.unfold(on_grid(x, bits // 2), weight.shape[2:])
    made = product(on_grid(weight, bits - bits // 2).flatten(1), cells).float()
    return made.view(len(x), len(weight), *(x.shape[axis] - weight.shape[axis] + 1 for axis in (2, 3)))


def seconds(function: object, *tensors: Tensor) -> float:
    """The least of seven runs, of CPU time."""
    times = []
    for _ in range(7):
        since = time.process_time()
        function(*tensors)  # type: ignore[operator]
        times.append(time.process_time() - since)
    return min(times)


def row(name: str, generator: torch.Generator) -> str:
    wide, deep, kernel, side = LAYERS[name]
    x = torch.randn(1, wide, side, side, generator=generator)
    weight = torch.randn(deep, wide, kernel, kernel, generator=generator) * 0.1
    order = torch.randperm(wide, generator=generator)
    truth = functional.conv2d(x.double(), weight.double())
    cells: list[object] = [name]
    for function in (functional.conv2d, exact):
        made = function(x, weight)
        shuffled = function(x[:, order].contiguous(), weight[:, order].contiguous())
        cells.append(f"{float((made - truth).abs().max() / truth.abs().max()):.0e}")
        cells.append(f"{float((made != shuffled).double().mean()):.0%}")
    cells.append(f"{seconds(exact, x, weight) / seconds(functional.conv2d, x, weight):.1f}")
    return f"| {' | '.join(map(str, cells))} |"


@click.command()
def main() -> None:
    """Print a table of layers: float32's error, how many sums change with their order, the same exactly, the time."""
    assert not pipeline.UNPINNED
    torch.set_num_threads(1)
    click.echo("| layer | float32's error | changed by order | exact's error | changed by order | time, ratio |")
    click.echo("|---|--:|--:|--:|--:|--:|")
    generator = torch.Generator().manual_seed(0)
    for name in LAYERS:
        click.echo(row(name, generator))


if __name__ == "__main__":
    main()
