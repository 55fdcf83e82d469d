"""Decode samples ahead of the solver, in the order they are drawn, altered as the recipe says."""

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import torch

from pipeline.core.types import Refusal
from pipeline.fcn import inputs
from pipeline.runtime.distributed import ALONE, Group
from pipeline.shards.reader import Example, Shards
from pipeline.spec import NetSpec
from pipeline.training.alter import move, sampled, window
from pipeline.training.loss import valid_pixels

DEPTH = 8  # samples that are decoded and wait
T = TypeVar("T")
U = TypeVar("U")


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

    ``alter`` may ``mirror`` them or ``jitter``, which shifts them too; ``crop`` is the side in pixels of a window that
    is then cut (0: none), and ``sampling`` is the share of cells whose pixels count (``alter``). ``rows`` are those of
    the shards that are drawn; None means all. A process of ``group`` decodes its own share of each batch, in
    ``workers`` threads; with none the solver waits for each sample. ``waited`` are the seconds it has waited so far.

    A picture is decoded whole, whatever the window: neither simplejpeg nor Pillow decodes a part. One of 12,000×9,000
    takes 0.9 s as JPEG, as much again for its label's PNG, and 0.5 GB in each thread.
    """

    shards: Shards
    seed: int
    net: NetSpec
    device: torch.device
    alter: str = "none"
    crop: int = 0
    sampling: float = 1.0
    rows: Sequence[int] | None = None
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
        rows = range(len(self.shards)) if self.rows is None else self.rows
        example = self._altered(draw, self.shards[rows[drawn(self.seed, draw, len(rows))]])
        try:
            return draw, example, {head: valid_pixels(example.labels[head], spec) for head, spec in self.labels.items()}
        except Refusal as refusal:
            raise Refusal(f"{example.id} in {self.shards.folder}: {refusal}") from None

    def _altered(self, draw: int, example: Example) -> Example:
        if self.alter != "none":
            moved, images, labels = move(self.seed, draw, self.alter), example.images, example.labels
            images = {column: moved.apply(images[column], self._fill[column]) for column in self.inputs}
            labels = {head: moved.apply(labels[head], spec.ignore_label) for head, spec in self.labels.items()}
            example = replace(example, images=images, labels=labels)
        example = self.cut(draw, example)
        if self.sampling < 1:
            labels = {
                head: sampled(example.labels[head], self.seed, draw, self.sampling, spec.ignore_label)
                for head, spec in self.labels.items()
            }
            example = replace(example, labels=labels)
        return example

    def cut(self, draw: int, example: Example) -> Example:
        """The draw's window of ``example``, all its maps alike; without ``crop`` the example itself."""
        if not self.crop:
            return example
        ignored = {head: spec.ignore_label for head, spec in self.labels.items()}
        place = window(self.seed, draw, self.crop, example.labels, ignored)
        images = {column: pixels[place].copy() for column, pixels in example.images.items()}  # a view would hold it all
        return replace(
            example, images=images, labels={head: each[place].copy() for head, each in example.labels.items()}
        )

    def _item(self, draw: int, example: Example, valid: dict[str, int]) -> Item:
        image = inputs.stack(example.images, self.inputs, self.device).sub_(self.mean)
        labels = {head: torch.from_numpy(example.labels[head]).to(self.device).unsqueeze(0) for head in self.labels}
        return Item(draw=draw, id=example.id, image=image, labels=labels, valid=valid)


def prefetch(prepare: Callable[[T], U], items: Iterable[T], workers: int = 1, depth: int = DEPTH) -> Iterator[U]:
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
