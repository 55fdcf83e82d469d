"""Join two trained nets into one whose streams they are: the start of late fusion (paper section 5, NYUDv2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.core.types import Refusal
from pipeline.weights import checkpoint

FREE = {"inputs", "mean"}  # what streams may differ in


def fuse(parents: Sequence[Path], out: Path) -> None:
    """Write the ``late`` net of ``parents``, nets of one input each; its tensors are theirs behind the input's name.

    Raises Refusal when they differ in anything but what they see, or see the same.
    """
    loaded = {path: checkpoint.load(path) for path in parents}
    first, (spec, _) = next(iter(loaded.items()))
    for path, (other, _) in loaded.items():
        if other.streams == "late" or len(other.inputs) != 1:
            raise Refusal(f"{path} sees {', '.join(other.inputs)}: fuse nets of one input each")
        if odd := [name for name in vars(spec).keys() - FREE if getattr(spec, name) != getattr(other, name)]:
            raise Refusal(f"{path} has another {min(odd)} than {first}: fuse nets that differ in their inputs only")
    columns = tuple(other.inputs[0] for other, _ in loaded.values())
    if len(set(columns)) < len(parents):
        raise Refusal(f"{' and '.join(map(str, parents))} see {columns[0]} both: fuse nets of different inputs")
    mean = tuple(value for other, _ in loaded.values() for value in other.mean)
    tensors = {f"{other.inputs[0]}.{name}": tensor for other, own in loaded.values() for name, tensor in own.items()}
    checkpoint.save(out, tensors, replace(spec, inputs=columns, streams="late", mean=mean))
