"""Decode samples ahead of the solver, in the order they are drawn; mirror, shift and sample them (section 4.3)."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline import determinism
from pipeline.core.types import Refusal
from pipeline.fcn import inputs
from pipeline.runtime.distributed import ALONE, Group
from pipeline.shards.reader import Example, Shards
from pipeline.spec import NetSpec
from pipeline.training.loss import valid_pixels

T = TypeVar("T")
U = TypeVar("U")
JITTER = 32  # pixels: "the coarsest scale of prediction"
CELL = 32  # pixels: the stride of the final layer
Pixel = TypeVar("Pixel", bound=np.generic)


def drawn(seed: int, draw: int, n: int) -> int:
    """Index in 0 … n−1 of the ``draw``-th sample, uniform and with replacement, as the authors draw (voc_layers.py).

    A pure function: a run resumes from one integer on any number of threads and ranks. Iteration k (from 0) of batch b
    uses draws k·b … k·b + b − 1. Costs 1 µs; off uniform by at most n / 2^64.
    """
    digest = hashlib.sha256(f"{seed}/draw/{draw}".encode()).digest()
    return int.from_bytes(digest[:8], "big") * n >> 64


@dataclass(frozen=True, kw_only=True)
class Item:
    """One drawn sample as the net takes it.

    ``image`` is 1×C×H×W float32 with the mean subtracted, ``labels`` are 1×H×W uint8 by head, ``valid`` counts the
    pixels of each that are not ignored.
    """

    draw: int
    id: str
    image: torch.Tensor
    labels: dict[str, torch.Tensor]
    valid: dict[str, int]


@dataclass(kw_only=True)
class Feed:
    """A run's items by draw, as ``net`` takes them; each is a pure function of (seed, draw).

    ``jitter`` mirrors and shifts them, ``sampling`` is the share of cells whose pixels count (``alter``). A process of
    ``group`` decodes its own share of each batch, in ``workers`` threads; with none the solver waits for each sample.
    ``waited`` are the seconds it has waited so far.
    """

    shards: Shards
    seed: int
    net: NetSpec
    device: torch.device
    jitter: bool = False
    sampling: float = 1.0
    group: Group = ALONE
    workers: int = 1
    waited: float = 0.0

    def __post_init__(self) -> None:
        self.inputs = self.net.inputs
        self.labels = {head: self.shards.manifest.spec.labels[head] for head in self.net.heads}
        self.mean = torch.tensor(self.net.mean, dtype=torch.float32, device=self.device).view(-1, 1, 1)
        self._fill = inputs.unstacked(self.net.mean, self.inputs)  # what lies beyond a shifted image

    def batches(self, start: int, stop: int, size: int) -> Iterator[list[Item]]:
        """This process's items of iterations ``start`` … ``stop`` − 1, each of which draws ``size``.

        Raises Refusal naming the sample when a label is no class.
        """
        own = self.group.share(range(size))
        draws = (iteration * size + place for iteration in range(start, stop) for place in own)
        decoded = prefetch(self._decode, draws, self.workers)
        for _ in range(start, stop):
            began = time.perf_counter()
            batch = [next(decoded) for _ in own]
            self.waited += time.perf_counter() - began
            yield [self._item(*each) for each in batch]

    def _decode(self, draw: int) -> tuple[int, Example, dict[str, int]]:
        """Runs in other threads, so it leaves torch alone: each would start a set of torch's own workers."""
        example = self._altered(draw, self.shards[drawn(self.seed, draw, len(self.shards))])
        try:
            return draw, example, {head: valid_pixels(example.labels[head], spec) for head, spec in self.labels.items()}
        except Refusal as refusal:
            raise Refusal(f"{example.id} in {self.shards.folder}: {refusal}") from None

    def _altered(self, draw: int, example: Example) -> Example:
        images, labels = example.images, example.labels
        if self.jitter:
            moved = move(self.seed, draw)
            images = {column: moved.apply(images[column], self._fill[column]) for column in self.inputs}
            labels = {head: moved.apply(labels[head], spec.ignore_label) for head, spec in self.labels.items()}
        if self.sampling < 1:
            labels = {
                head: sampled(labels[head], self.seed, draw, self.sampling, spec.ignore_label)
                for head, spec in self.labels.items()
            }
        return replace(example, images=images, labels=labels)

    def _item(self, draw: int, example: Example, valid: dict[str, int]) -> Item:
        image = inputs.stack(example.images, self.inputs, self.device).sub_(self.mean)
        labels = {head: torch.from_numpy(example.labels[head]).to(self.device).unsqueeze(0) for head in self.labels}
        return Item(draw=draw, id=example.id, image=image, labels=labels, valid=valid)


def prefetch(prepare: Callable[[T], U], items: Iterable[T], workers: int = 1, depth: int = 8) -> Iterator[U]:
    """``map(prepare, items)`` with up to ``depth`` results prepared beforehand by ``workers`` other threads, 0 by none.

    One suffices on a CPU: a 500×375 sample decodes in about 2 ms, one step of the thinnest net takes 10 ms.
    An exception in ``prepare`` is raised where its result would have come; closing the iterator drops what is pending.
    """
    if workers == 0:
        yield from map(prepare, items)
        return
    waiting: deque[Future[U]] = deque()
    pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="feed")
    try:
        for item in items:
            waiting.append(pool.submit(prepare, item))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


@dataclass(frozen=True, kw_only=True)
class Move:
    """A sample is ``mirrored`` left to right, then shifted ``down`` and ``right`` by whole pixels."""

    mirrored: bool
    down: int
    right: int

    def apply(self, pixels: NDArray[Pixel], fill: Any) -> NDArray[Pixel]:
        """Move an H×W or H×W×C map; what comes from beyond its edge is ``fill``, one value or one a channel."""
        moved = np.empty_like(pixels)
        moved[...] = fill
        source = pixels[:, ::-1] if self.mirrored else pixels
        (to_y, from_y), (to_x, from_x) = _overlap(self.down, len(pixels)), _overlap(self.right, pixels.shape[1])
        moved[to_y, to_x] = source[from_y, from_x]
        return moved


def move(seed: int, draw: int) -> Move:
    """The move of a draw, a pure function of its arguments: half are mirrored, shifts are uniform to ±32 pixels."""
    rng = np.random.default_rng(determinism.mix(seed, "move", draw))
    down, right = rng.integers(-JITTER, JITTER + 1, 2).tolist()
    return Move(mirrored=bool(rng.random() < 0.5), down=down, right=right)


def sampled(label: NDArray[np.uint8], seed: int, draw: int, share: float, ignore_label: int) -> NDArray[np.uint8]:
    """A copy of an H×W label in which each cell of 32×32 pixels stays with probability ``share`` and else is ignored.

    The cells are the final layer's, so this samples the patches that are its receptive fields; the same for every head
    of a draw.
    """
    rows, columns = (-(-length // CELL) for length in label.shape)
    kept = np.random.default_rng(determinism.mix(seed, "cells", draw)).random((rows, columns)) < share
    pixels = kept.repeat(CELL, 0).repeat(CELL, 1)[: label.shape[0], : label.shape[1]]
    return np.where(pixels, label, np.uint8(ignore_label))


def _overlap(shift: int, length: int) -> tuple[slice, slice]:
    """Where the pixels that stay land when ``length`` of them are moved by ``shift``, and where they come from."""
    stay = max(0, length - abs(shift))
    to, start = max(0, shift), max(0, -shift)
    return slice(to, to + stay), slice(start, start + stay)
