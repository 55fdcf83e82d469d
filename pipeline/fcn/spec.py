"""What a net is, as data that travels inside its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.types import LabelSpec


@dataclass(frozen=True, kw_only=True)
class NetSpec:
    """Everything needed to rebuild a net around its weights.

    ``crop`` is the side in pixels of the classifier's input: fc6 of a VGG is ``crop / 32`` wide (224 → 7, 96 → 3).
    ``padding`` is the first convolution's (the authors': 100 for VGG16 and AlexNet, 3 for GoogLeNet).
    ``inputs`` are the image columns the net sees; ``mean`` is subtracted from their channels as stored (for ``color``
    RGB in 0–255), the only preprocessing there is.
    ``heads`` maps each label column to its classes; empty for a bare backbone.
    """

    backbone: str
    width: float
    crop: int
    padding: int
    mean: tuple[float, ...]
    inputs: tuple[str, ...] = ("color",)
    stride: int = 32
    heads: Mapping[str, LabelSpec] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "backbone": self.backbone,
            "width": self.width,
            "crop": self.crop,
            "padding": self.padding,
            "mean": list(self.mean),
            "inputs": list(self.inputs),
            "stride": self.stride,
            "heads": {name: head.to_json() for name, head in self.heads.items()},
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> NetSpec:
        return cls(
            backbone=row["backbone"],
            width=float(row["width"]),
            crop=int(row["crop"]),
            padding=int(row["padding"]),
            mean=tuple(float(value) for value in row["mean"]),
            inputs=tuple(map(str, row["inputs"])),
            stride=int(row["stride"]),
            heads={name: LabelSpec.from_json(head) for name, head in row["heads"].items()},
        )
