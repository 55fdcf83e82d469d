"""Training steps on one made-up image, ours and other people's, and what a device could do at best."""

import importlib.util
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from unittest.mock import MagicMock, patch

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from pipeline import determinism
from pipeline.backbones.shared.random_start import INPUT_STD, random_start
from pipeline.core.types import LabelSpec
from pipeline.fcn.net import FCN
from pipeline.spec import NetSpec
from pipeline.training.feed import Item
from pipeline.training.recipe import SolverSpec
from pipeline.training.solver import Solver
from pipeline.training.train import autocast

CLASSES = 21
LABEL = LabelSpec(classes=tuple(map(str, range(CLASSES))), palette=((0, 0, 0),) * CLASSES)
WARM = 20  # the iteration from which on time is taken and memory must not grow
SIDE = {"cuda": 8192, "cpu": 256}  # of the square matrices whose product is taken for the peak
SOLVER = {"lr": 1e-10, "momentum": 0.99, "weight_decay": 0.0005}  # the authors' for an FCN-32s


@dataclass(frozen=True, kw_only=True)
class Work:
    """What to train: our net's width, the image's sides in pixels, how long, where."""

    width: float
    across: int
    down: int
    iterations: int
    device: str

    def spec(self, stride: int) -> NetSpec:
        mean = (123.0, 117.0, 104.0)
        heads = {"semantic": LABEL}
        return NetSpec(backbone="vgg16", width=self.width, crop=224, padding=100, mean=mean, stride=stride, heads=heads)

    def warm(self) -> int:
        return min(WARM, self.iterations // 2)

    def sample(self, device: torch.device, draw: int = 1) -> tuple[Tensor, Tensor]:
        """An image, 1×3×H×W float32 of noise, and its label, 1×H×W uint8; the same for the same ``draw``."""
        generator = torch.Generator().manual_seed(draw)
        image = torch.randn(1, 3, self.down, self.across, generator=generator) * INPUT_STD
        label = torch.randint(0, CLASSES, (1, self.down, self.across), generator=generator, dtype=torch.uint8)
        return image.to(device), label.to(device)


def device_of(work: Work, precision: str, repeatable: bool) -> torch.device:
    """Set flags as stages do, or as torch comes, autotuning on, where it need not be ``repeatable``."""
    device = determinism.start({"threads": 1, "device": work.device}, precision)
    if not repeatable:
        torch.set_deterministic_debug_mode("default")
        torch.backends.cudnn.benchmark = True
    if device.type == "cuda":
        torch.cuda.empty_cache()  # what the run before left
        torch.cuda.reset_peak_memory_stats()
    return device


def allocated(device: torch.device) -> int:
    """Bytes at most, on CUDA."""
    return torch.cuda.max_memory_allocated() if device.type == "cuda" else 0


def ours(work: Work, stride: int, precision: str, device: torch.device) -> tuple[nn.Module, Callable[[], object]]:
    """Our net with random weights, and a step of its training."""
    net = started(work, stride)
    return net, training(net, work, precision, device)


def started(work: Work, stride: int) -> FCN:
    spec = work.spec(stride)
    net = FCN(spec)
    random_start(net, spec, torch.Generator().manual_seed(0))
    return net


def training(net: FCN, work: Work, precision: str, device: torch.device) -> Callable[[], object]:
    """A step of our solver on the sample."""
    autocast(net.to(device).train(), precision, device)
    iterations = SolverSpec(seed=0, iterations=work.iterations, batch=1, reduction="sum", virtual_ranks=1, **SOLVER)
    image, label = work.sample(device)
    item = Item(draw=0, id="noise", image=image, labels={"semantic": label}, valid={"semantic": label.numel()})
    solver = Solver(net, iterations, net.spec.heads)
    return lambda: solver.step([item])


def torchfcn() -> nn.Module:
    """wkentaro/pytorch-fcn's FCN8s: the paper's net, as PyTorch's users know it.

    The package also loads what trains and downloads, which wants Chainer, scikit-image and Python < 3.12; its nets do
    not, so that stands in empty.
    """
    unused = {name: MagicMock() for name in ("fcn", "torchfcn.datasets", "torchfcn.trainer")}
    with warnings.catch_warnings(action="ignore"), patch.dict(sys.modules, unused):
        from torchfcn.models import FCN8s

        return FCN8s(n_class=CLASSES)


def torchvision() -> nn.Module:
    """torchvision's FCN on a dilated ResNet-50, without weights."""
    from torchvision.models.segmentation import fcn_resnet50

    return fcn_resnet50(weights=None, weights_backbone=None, num_classes=CLASSES)


PEERS: dict[str, Callable[[], nn.Module]] = {"torchfcn FCN8s": torchfcn, "torchvision fcn_resnet50": torchvision}


def installed(peer: str) -> bool:
    return importlib.util.find_spec(peer.split()[0]) is not None


def theirs(peer: str, work: Work, precision: str, device: torch.device) -> Callable[[], object]:
    """A step of a peer's training as PyTorch's users write it; zero weights become random, for zeros cost less power.

    It has what our net has at that precision: channels last on CUDA, bfloat16 by autocast.
    """
    net = PEERS[peer]()
    with torch.no_grad():
        for weight in net.parameters():
            if weight.dim() == 4 and not weight.any():
                nn.init.kaiming_normal_(weight)
    net.to(device).train()
    if device.type == "cuda" and precision != "fp32":
        net.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(net.parameters(), **SOLVER)
    image, label = work.sample(device)
    target = label.long()

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            loss = functional.cross_entropy(scored(net, image).float(), target, ignore_index=255, reduction="sum")
        loss.backward()
        optimizer.step()

    return step


def scored(net: nn.Module, image: Tensor) -> Tensor:
    """Anybody's scores, N×classes×H×W."""
    found = net(image)
    return next(iter(found.values())) if isinstance(found, dict) else found


def flops(make: Callable[[], nn.Module], work: Work) -> int:
    """Of one image, forward and backward, multiplications and additions apart; nothing is computed."""
    with torch.device("meta"):
        net, image = make(), torch.empty(1, 3, work.down, work.across)
    counter = FlopCounterMode(display=False)
    with counter:
        scored(net, image).sum().backward()
    return int(counter.get_total_flops())


def rate(work: Work, step: Callable[[], object], device: torch.device) -> float:
    """Images/s once it is warm."""
    begin = 0.0
    for iteration in range(work.iterations):
        if iteration == work.warm():
            begin = now(device)
        step()
    return (work.iterations - work.warm()) / (now(device) - begin)


def now(device: torch.device) -> float:
    """Seconds, when all that was asked of the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def machine(device: str) -> str:
    """The card, torch and cuDNN, in a line."""
    card = torch.cuda.get_device_name() if device == "cuda" and torch.cuda.is_available() else device
    return f"{card}, torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}"


def product(precision: str, kind: str) -> float:
    """FLOP/s of a large square matrix product in ``precision``, which is as fast as the device can be asked to be."""
    side, repeats, device = SIDE[kind], 20, torch.device(kind)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    left, right = torch.randn(2, side, side, device=device, dtype=dtype)
    for _ in range(3):
        left @ right
    start = now(device)
    for _ in range(repeats):
        left @ right
    return 2 * side**3 * repeats / (now(device) - start)
