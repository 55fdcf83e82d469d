"""Weights with the spec of their net in one file: equal tensors and spec give equal bytes. Two nets fuse into one."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from pipeline.core import files
from pipeline.core.types import Refusal
from pipeline.spec import NetSpec

FREE = {"inputs", "mean"}  # what streams may differ in


def save(path: Path, tensors: Mapping[str, Tensor], spec: NetSpec) -> None:
    """Write float32 ``tensors``, sorted by name, and ``spec`` as the file's only metadata.

    Only one key, because safetensors 0.8 writes several in random order (safetensors#584).
    """
    plain = {name: tensors[name].detach().to("cpu", torch.float32).contiguous() for name in sorted(tensors)}
    text = json.dumps(spec.to_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    with files.replacing(path) as scratch:
        save_file(plain, scratch, metadata={"spec": text})


def load(path: Path) -> tuple[NetSpec, dict[str, Tensor]]:
    """The spec and the CPU tensors of a file that ``save`` wrote; Refusal for any other file.

    Tensors are copies in torch's own aligned memory: where a weight lies changes the last bits of a convolution, so
    in the mapped file a net would answer otherwise than the same net as it was trained.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except FileNotFoundError:
        raise Refusal(f"no weights at {path}: run the stage that writes them, `dvc checkout` or `dvc pull`") from None
    except SafetensorError as error:
        raise Refusal(f"{path} is not a safetensors file ({error}): delete it and run its stage again") from None
    try:
        return NetSpec.from_json(json.loads(metadata["spec"])), tensors
    except (KeyError, TypeError, ValueError) as error:
        raise Refusal(f"{path} tells no net ({error!r}): it was not written by this pipeline") from None


def fuse(parents: Sequence[Path], out: Path) -> None:
    """Write the ``late`` net of ``parents``, nets of one input each; its tensors are theirs behind the input's name.

    Raises Refusal when they differ in anything but what they see, or see the same.
    """
    loaded = {path: load(path) for path in parents}
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
    save(out, tensors, replace(spec, inputs=columns, streams="late", mean=mean))
