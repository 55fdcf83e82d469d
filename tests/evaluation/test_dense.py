"""À trous is shift-and-stitch: the same filters at every eighth pixel, wherever the image's edge is out of sight."""

from __future__ import annotations

import pytest
import torch

from pipeline.backbones.shared.random_start import random_start
from pipeline.core.types import LabelSpec, Refusal
from pipeline.evaluation.dense import STRIDE, Dense
from pipeline.fcn.net import FCN
from pipeline.spec import NetSpec

LABEL = LabelSpec(classes=("a", "b", "c"), palette=((0, 0, 0), (1, 1, 1), (2, 2, 2)))


def net(stride: int = 32, backbone: str = "vgg16") -> FCN:
    spec = NetSpec(
        backbone=backbone, width=0.02, crop=64, padding=20, mean=(0.0,) * 3, stride=stride, heads={"semantic": LABEL}
    )
    made = FCN(spec)
    random_start(made, spec, torch.Generator().manual_seed(1))
    with torch.no_grad():
        made.get_submodule("semantic").score_fr.weight.normal_(generator=torch.Generator().manual_seed(2))  # type: ignore[operator,union-attr]
    return made.eval()


def picture(height: int, width: int) -> torch.Tensor:
    return 57 * torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(0))


def test_every_fourth_cell_is_the_nets_own() -> None:
    coarse = net()
    with torch.inference_mode():
        own, dense = coarse.backbone(picture(320, 256))[32], Dense(coarse).features(picture(320, 256))
    rows, columns = own.shape[2:]
    inner = (slice(None), slice(None), slice(4, rows - 4), slice(3, columns - 3))
    assert own[inner].numel()
    assert torch.allclose(dense[:, :, ::4, ::4][:, :, :rows, :columns][inner], own[inner], rtol=1e-4, atol=1e-4)


def stitched(net: FCN, image: torch.Tensor) -> torch.Tensor:
    """fc7 by shift-and-stitch: ``net`` runs on the image shifted by every multiple of 8 px below 32, its cells woven.

    N×C×h×w at every eighth pixel, as ``Dense.features``; 16 passes. Cells whose view reaches the shifted image's edge
    see other zeros than ``Dense``'s do.
    """
    steps = range(0, 32, STRIDE)
    rows = []
    for down in steps:
        row = [net.backbone(image[:, :, down:, right:])[32] for right in steps]
        width = min(part.shape[3] for part in row)
        rows.append(torch.stack([part[..., :width] for part in row], 4).flatten(3))
    height = min(row.shape[2] for row in rows)
    woven: torch.Tensor = torch.stack([row[:, :, :height] for row in rows], 3).flatten(2, 3)
    return woven


def test_it_equals_shift_and_stitch_out_of_sight_of_the_edge() -> None:
    """A VGG16 of crop 64 sees 244 pixels: cells nearer to an edge than that see other padding."""
    coarse, image = net(), picture(608, 576)
    with torch.inference_mode():
        dense, woven = Dense(coarse).features(image), stitched(coarse, image)
    near = 20  # cells of 8 pixels
    inner = (slice(None), slice(None), slice(near, 608 // STRIDE - near), slice(near, 576 // STRIDE - near))
    assert dense[inner].numel() > 1000
    assert torch.allclose(dense[inner], woven[inner], rtol=1e-4, atol=1e-4)
    assert float(dense[inner].std()) > 0.01


def test_scores_are_finer_and_stand_where_the_coarse_ones_do() -> None:
    coarse, image = net(), torch.zeros(1, 3, 352, 352)
    image[:, :, 128:224, 128:224] = 57 * torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        scores, dense = coarse(image)["semantic"], Dense(coarse)(image)["semantic"]
        moved = Dense(coarse)(image.roll((8, 16), (2, 3)))["semantic"]
    assert dense.shape == scores.shape
    assert torch.corrcoef(torch.stack([dense.flatten(), scores.flatten()]))[0, 1] > 0.8
    inner = (slice(None), slice(None), slice(96, 256), slice(96, 256))
    assert (moved - dense.roll((8, 16), (2, 3)))[inner].abs().max() < 0.02 * (dense.max() - dense.min())


@pytest.mark.parametrize("other", [{"stride": 16}, {"backbone": "googlenet"}])
def test_other_nets_are_refused(other: dict[str, object]) -> None:
    with pytest.raises(Refusal, match="only an FCN-32s of VGG16 can be scored densely"):
        Dense(net(**other))  # type: ignore[arg-type]
