"""Batch normalisation as scaffolding: with it a deep plain net learns in a minute; then it folds into the weights."""

import torch
from torch import nn
from torch.nn.utils import fusion

from pipeline.backbones.shared.random_start import INPUT_STD

Layer = nn.Conv2d | nn.Linear
Norm = nn.BatchNorm2d | nn.BatchNorm1d


def normalise(net: nn.Module, last: str) -> list[tuple[nn.Parameter, float]]:
    """Put a batch normalisation behind every layer of ``net`` but the one named ``last``; ``unnormalise`` undoes it.

    Activations decline from ``INPUT_STD`` (that of RGB in 0–255) to 1 across the layers, as in nets that Caffe trained:
    the l-th of L normalisations scales by INPUT_STD^(1 − l/L). Returns their parameters, each with its scale: a solver
    whose steps are free of scale, such as Adam, has to multiply by it.
    """
    layers = [(name, child) for name, child in net.named_modules() if isinstance(child, Layer) and name != last]
    scaled = []
    for number, (name, layer) in enumerate(layers, 1):
        scale = INPUT_STD ** (1 - number / len(layers))
        norm = (nn.BatchNorm2d if isinstance(layer, nn.Conv2d) else nn.BatchNorm1d)(len(layer.weight))
        nn.init.constant_(norm.weight, scale)
        net.set_submodule(name, nn.Sequential(layer, norm))
        scaled += [(norm.weight, scale), (norm.bias, scale)]
    return scaled


@torch.no_grad()
def unnormalise(net: nn.Module) -> None:
    """Fold every normalisation's running statistics into the layer before it: in evaluation the same function."""
    for name, pair in list(net.named_modules()):
        if isinstance(pair, nn.Sequential) and len(pair) == 2 and isinstance(norm := pair[1], Norm):
            layer = pair[0]
            fold = fusion.fuse_conv_bn_weights if isinstance(layer, nn.Conv2d) else fusion.fuse_linear_bn_weights
            statistics = (norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias)
            weight, bias = fold(layer.weight, layer.bias, *statistics)  # type: ignore[arg-type]
            layer.weight.copy_(weight)  # type: ignore[operator]
            layer.bias.copy_(bias)  # type: ignore[operator]
            net.set_submodule(name, layer)
