"""Matrix products of the same bytes on every x86-64 processor with AVX2.

MKL, which torch calls, keeps that promise on processors of different makers only by kernels of 2001 (MKL_CBWR
COMPATIBLE), at half its speed. NumPy's OpenBLAS, held to its Haswell kernels by a pin of ``pipeline``, cuts a product
by its shape alone, and is as fast as MKL.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor


def planned(x: Tensor) -> bool:
    """Whether layers may choose how to compute: on a CPU, in full precision, and not while the graph is exported."""
    return x.device.type == "cpu" and not torch.is_autocast_enabled("cpu") and not torch.compiler.is_exporting()


def product(a: Tensor, b: Tensor) -> Tensor:
    """``a @ b`` of floats: m×k times k×n, either with N before it; differentiable once.

    Of an N×m×k ``a`` and a k×n ``b`` only ``a``'s gradient can be had. Where layers may not choose, torch's own.
    """
    if not planned(a):
        return a @ b
    made: Tensor = Product.apply(a, b)
    return made


class Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(a, b)
        return multiply(a, b)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        gradient = gradients[0].contiguous()
        a, b = ctx.saved_tensors
        of_a = of_b = None
        if ctx.needs_input_grad[0]:
            of_a = multiply(gradient, b.mT)
            if of_a.ndim > a.ndim:
                of_a = of_a[0] if len(of_a) == 1 else of_a.sum(0)
        if ctx.needs_input_grad[1]:
            of_b = multiply(a.mT, gradient)
        return of_a, of_b


def multiply(a: Tensor, b: Tensor) -> Tensor:
    """``a @ b`` by NumPy's OpenBLAS, without a gradient."""
    batch = b.shape[:-2] if b.ndim > a.ndim else a.shape[:-2]
    made = a.new_empty((*batch, a.shape[-2], b.shape[-1]))
    with np.errstate(all="ignore"):  # of a net that diverges, its loss tells
        np.matmul(a.detach().numpy(), b.detach().numpy(), out=made.numpy())
    return made
