"""Trains one side's FCN-8s-VGG16, an iteration for each line on standard input: python -m benchmarks._side SIDE."""

import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

AS_IT_COMES, PINNED, OURS = "torchfcn", "torchfcn, our kernels", "ours"
SIDES = (AS_IT_COMES, PINNED, OURS)
SEED = 1  # of what random_start leaves at zero


@dataclass(frozen=True, kw_only=True)
class Work:
    """The image's sides in pixels, the net's width (torchfcn's is 1), and how many threads compute."""

    down: int = 375
    across: int = 500
    width: float = 1.0
    threads: int = 2


def ready(side: str, work: Work) -> Callable[[], object]:
    """What does an iteration of ``side`` on one image of noise: forward, backward, and a step of the weights."""
    if side == AS_IT_COMES:
        import torch

        torch.set_num_threads(work.threads)
    else:
        from pipeline import determinism

        determinism.start({"threads": work.threads})
    return ours(work) if side == OURS else theirs(work)


def made(work: Work) -> Any:
    """The work as ``_steps`` has it, which pins torch's kernels unless torch is there already."""
    from benchmarks import _steps

    return _steps.Work(width=work.width, across=work.across, down=work.down, iterations=1, device="cpu")


def ours(work: Work) -> Callable[[], object]:
    import torch

    from benchmarks import _steps

    return _steps.training(started(work), made(work), "fp32", torch.device("cpu"))


def theirs(work: Work) -> Callable[[], object]:
    """As its trainer does it, without the scores that it computes after each iteration."""
    import torch

    from benchmarks import _steps

    net = taken(started(work)).train()
    cross_entropy2d = torchfcn().trainer.cross_entropy2d
    named = [(name, parameter) for name, parameter in net.named_parameters() if "upscore" not in name]
    weights, biases = ([p for name, p in named if name.endswith(end)] for end in ("weight", "bias"))
    groups = [{"params": weights}, {"params": biases, "lr": 2 * _steps.SOLVER["lr"], "weight_decay": 0.0}]
    solver = torch.optim.SGD(groups, **_steps.SOLVER)
    pixels, label = made(work).sample(torch.device("cpu"))
    label = label.long()

    def step() -> None:
        solver.zero_grad()
        loss = cross_entropy2d(net(pixels), label, size_average=False) / len(pixels)
        if loss.item() != loss.item():
            raise ValueError("loss is nan while training")
        loss.backward()
        solver.step()

    return step


def started(work: Work) -> Any:
    """Our FCN-8s with random weights that keep activations alive; no score and no bias is zero."""
    import torch

    from benchmarks import _steps

    net, generator = _steps.started(made(work), stride=8), torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if ".score_" in name or name.endswith(".bias"):  # a bias of 0 leaves the padding's maps on ReLU's corner
                parameter.normal_(0, 0.01, generator=generator)
    return net


def taken(net: Any) -> Any:
    """torchfcn's FCN8s with the weights of ours."""
    found = torchfcn().models.FCN8s(n_class=len(net.spec.heads["semantic"].classes))
    weights = {name.split(".", 1)[1]: tensor for name, tensor in net.state_dict().items()}
    found.load_state_dict({**found.state_dict(), **weights})
    return found


def torchfcn() -> Any:
    """The package, which imports another to download weights that are not wanted here."""
    sys.modules.setdefault("fcn", types.ModuleType("fcn"))
    import torchfcn

    return torchfcn


@click.command()
@click.argument("side", type=click.Choice(SIDES))
@click.option("--down", type=int, default=Work.down)
@click.option("--across", type=int, default=Work.across)
@click.option("--width", type=float, default=Work.width)
@click.option("--threads", type=int, default=Work.threads)
def main(side: str, **options: Any) -> None:
    """Say that all is made, then do an iteration a line and say that it is done; end where the input ends."""
    try:
        step = ready(side, Work(**options))
    except ModuleNotFoundError as error:
        click.echo(f"{error.name} is not installed")
        return
    click.echo("ready")
    for _ in sys.stdin:
        step()
        click.echo("done")


if __name__ == "__main__":
    main()
