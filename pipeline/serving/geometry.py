"""Table 1's columns read off a net itself: what a score sees, how far apart scores stand, how many weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from pipeline.core.types import Refusal
from pipeline.fcn.net import COARSEST, FCN, Head, LateFCN, make
from pipeline.spec import NetSpec

SIDE = 1024  # pixels of the image that is walked; nothing is computed, so its size costs nothing
CONVOLUTION, POOL = torch.ops.aten.convolution.default, torch.ops.aten.max_pool2d_with_indices.default
PAD = torch.ops.aten.constant_pad_nd.default
WEIGHTED = (CONVOLUTION, torch.ops.aten.addmm.default)


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """A net in Table 1's terms; lengths in pixels along one axis, for all nets here are square.

    ``receptive_field`` is how much one cell of ``score_fr`` sees, padding included; ``stride`` the distance of two
    such cells, the coarsest in the net; ``convolutions`` the layers with weights from the image to that score, along
    the longest way; ``parameters`` all weights and biases, of every stream and head.
    ``offsets`` are the authors' crops: the cells cut off the front of each skip, coarse to fine (5, 9 for FCN-8s;
    negative where the upsampled scores are cut instead), then the pixels cut off the upsampled scores (19, 27, 31).
    ``kernels`` are the upsamplings' in the same order.
    """

    receptive_field: int
    stride: int
    parameters: int
    convolutions: int
    offsets: tuple[int, ...]
    kernels: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Field:
    """Cell i of a map sees ``size`` pixels from ``start + i * stride`` on, through at most ``layers`` layers."""

    start: int = 0
    size: int = 1
    stride: int = 1
    layers: int = 0

    def through(self, *, kernel: int, stride: int, padding: int, dilation: int) -> Field:
        """Behind a window that slides over the map."""
        start, size = self.start - padding * self.stride, self.size + (kernel - 1) * dilation * self.stride
        return replace(self, start=start, size=size, stride=self.stride * stride)

    def joined(self, other: Field) -> Field:
        """What a cell sees that is made of a cell of each of two maps."""
        start, end = min(self.start, other.start), max(self.start + self.size, other.start + other.size)
        return replace(self, start=start, size=end - start, layers=max(self.layers, other.layers))


def of(spec: NetSpec) -> Geometry:
    """The geometry of the net of ``spec``, found by leading an image through it on the meta device.

    GoogLeNet sees 715 px: the 907 of Table 1 are its classifier's, with the 7×7 average pool that the FCN discards. Of
    late streams, which are alike, the first is walked. Raises Refusal for a net without a head.
    """
    if not spec.heads:
        raise Refusal(f"a bare {spec.backbone} scores nothing: give its spec a head")
    with torch.device("meta"):
        net = make(spec)
    stream = net.get_submodule(spec.inputs[0]) if isinstance(net, LateFCN) else net
    assert isinstance(stream, FCN)
    head = stream.get_submodule(next(iter(spec.heads)))
    assert isinstance(head, Head)
    field = walked(lambda image: head.score_fr(stream.backbone(image)[COARSEST]), len(stream.spec.mean), SIDE)
    return Geometry(
        receptive_field=field.size,
        stride=field.stride,
        parameters=sum(parameter.numel() for parameter in net.parameters()),
        convolutions=field.layers,
        offsets=(*(-step.offset for step in head.steps), head.final.offset),
        kernels=tuple(step.kernel for step in (*head.steps, head.final)),
    )


def walked(forward: Callable[[Tensor], Tensor], channels: int, side: int) -> Field:
    """What the output of ``forward``, modules on the meta device, sees of a 1×``channels``×``side``×``side`` image."""
    walk, image = Walk(), torch.empty(1, channels, side, side, device="meta")
    walk.see(image, Field())
    with torch.no_grad(), walk:
        return walk.seen(forward(image))


class Walk(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While active, knows what each tensor sees of those it was told of, whichever module or function made it.

    Windows widen it; the loss of the spatial axes (flattening, a mean over the map) joins all cells; anything else
    leaves it as it was. Raises Refusal for an operation that changes a map's size and is none of these.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._fields: dict[int, tuple[Field, Tensor]] = {}  # with the tensor, whose id is its own while it lives

    def see(self, tensor: Tensor, field: Field) -> None:
        self._fields[id(tensor)] = field, tensor

    def seen(self, tensor: Tensor) -> Field:
        return self._fields[id(tensor)][0]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        sources = [tensor for tensor in _tensors(args) if id(tensor) in self._fields]
        result = next(_tensors(made), None)
        if sources and result is not None:
            field = self.seen(sources[0])
            for tensor in sources[1:]:
                field = field.joined(self.seen(tensor))
            self.see(result, _behind(func, args, sources[0], result, field))
        return made


def _behind(func: Any, args: tuple[Any, ...], source: Tensor, result: Tensor, field: Field) -> Field:
    """``field`` behind one operation, along the last axis of ``source``."""
    if source.ndim == 4 and result.ndim < 4:
        field = replace(field, size=field.size + (source.shape[3] - 1) * field.stride)
    elif func is CONVOLUTION:
        _, weight, _, stride, padding, dilation, *_ = args
        field = field.through(kernel=weight.shape[3], stride=stride[1], padding=padding[1], dilation=dilation[1])
    elif func is POOL:
        _, kernel, stride, padding = (*args, [0, 0])[:4]
        field = field.through(kernel=kernel[1], stride=stride[1], padding=padding[1], dilation=1)
    elif func is PAD:
        field = field.through(kernel=1, stride=1, padding=args[1][0], dilation=1)
    elif result.ndim == 4 and result.shape[2:] != source.shape[2:]:
        raise Refusal(f"the walk does not know what {func} makes of a map: teach it to pipeline/serving/geometry.py")
    return replace(field, layers=field.layers + 1) if func in WEIGHTED else field


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors among an operation's arguments or results, lists looked into."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)
