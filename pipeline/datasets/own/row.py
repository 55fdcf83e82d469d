"""A row of ``folders`` in params.yaml: what a user says of a folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.core.fields import bounded


@dataclass(frozen=True, kw_only=True)
class Row:
    """``root`` and ``classes`` are needed; the rest says where the folder differs from what is usual.

    ``images`` and ``labels`` are globs or ``@list`` files relative to ``root``. ``encoding`` says what labels store:
    ``index``, values of grey; ``palette``, values of a palette image; ``color``. ``classes`` and ``ignore`` are read by
    ``coding``, ``splits`` by ``splits``.
    """

    root: str
    images: str = "images/*"
    labels: str = "labels/*"
    encoding: Literal["index", "palette", "color"] = "index"
    classes: tuple[str, ...]
    ignore: tuple[str | int, ...] = ()
    splits: tuple[str, ...] = ("train=0.8", "val=0.2")
    rows_per_shard: int = bounded(500, least=1)
