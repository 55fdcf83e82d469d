"""A VOC archive of a few noisy pictures, and its conversion."""

import io
import tarfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.convert import writer
from pipeline.convert.write_shard import plugin

VOC = partial(plugin, "voc")


def encoded(pixels: np.ndarray, kind: str, **options: Any) -> bytes:
    Image.fromarray(pixels).save(file := io.BytesIO(), kind, **options)
    return file.getvalue()


def tar(members: Mapping[str, bytes], mode: str = "w", kind: bytes = tarfile.REGTYPE) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload] # modes are literals to typeshed
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def tarred(path: Path, members: Mapping[str, bytes], mode: str = "w", kind: bytes = tarfile.REGTYPE) -> Path:
    path.write_bytes(tar(members, mode, kind))
    return path


def pack(raw: Path, train: Sequence[str], **replaced: bytes) -> list[str]:
    """A VOC tar whose ids are ``train``, the last two also val; ``replaced`` swaps a member. Returns the counts."""
    raw.mkdir(exist_ok=True)
    random = np.random.default_rng(7)
    (raw / "seg11valid.txt").write_text(f"{train[-1]}\n")
    lists = {"train": train, "val": train[-2:]}
    members = {f"ImageSets/Segmentation/{split}.txt": "\n".join(ids).encode() for split, ids in lists.items()}
    for name in sorted(train):
        image = random.integers(0, 256, (6, 9, 3), np.uint8)
        label = random.choice(np.array([0, 3, 20, 255], np.uint8), (6, 9))
        members[f"JPEGImages/{name}.jpg"] = replaced.get(f"{name}_jpg", encoded(image, "JPEG"))
        members[f"SegmentationClass/{name}.png"] = replaced.get(f"{name}_png", encoded(label, "PNG"))
    inside = {f"VOCdevkit/VOC2012/{name}": data for name, data in members.items()}
    tarred(raw / "VOCtrainval_11-May-2012.tar", inside)
    return [f"train={len(train)}", "val=2", "seg11valid=1"]


def convert(home: Path, out: str = "out", *, rows: int = 20, raw: str = "raw", expect: Any = None, **how: Any) -> Path:
    """``home/raw`` → ``home/out``, which it returns, in one process unless ``how`` says otherwise."""
    how = {"processes": 1, **how}
    writer.convert("voc", VOC, home / raw, home / out, rows_per_shard=rows, expect=expect, **how)
    return home / out


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
