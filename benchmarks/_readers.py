"""How each peer reads what it wrote: a call for an epoch of decoded samples, shuffled as the library shuffles."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import _formats
from benchmarks._rounds import Timed
from benchmarks.reading import Rows, loader, torch_decoded, whole
from pipeline.core.types import Sample

Write = Callable[[Path, Sequence[Sample]], None]


def written(write: Write, folder: Path, held: Sequence[Sample]) -> Path:
    """The folder of a format, written if it is not there."""
    out = folder / write.__name__
    if not out.exists():
        write(out, held)
    return out


def vocsegmentation(held: Sequence[Sample], folder: Path, workers: int) -> Timed:
    """torchvision's own data set: files, opened and decoded by Pillow."""
    from torchvision.datasets import VOCSegmentation
    from torchvision.transforms.functional import pil_to_tensor

    rows = VOCSegmentation(
        str(written(_formats.tree, folder, held)),
        image_set="train",
        transform=pil_to_tensor,
        target_transform=pil_to_tensor,
    )
    read = loader(rows, workers)
    return whole(len(held), lambda: read)


def files(held: Sequence[Sample], folder: Path, workers: int) -> Timed:
    """What one writes by hand: files, decoded by torchvision.io."""
    voc = written(_formats.tree, folder, held) / _formats.VOC
    names = [sample.id for sample in held]

    def decode(row: int) -> Any:
        image, label = voc / f"JPEGImages/{names[row]}.jpg", voc / f"SegmentationClass/{names[row]}.png"
        return torch_decoded(image.read_bytes(), label.read_bytes())

    read = loader(Rows(len(held), decode), workers)
    return whole(len(held), lambda: read)


def hugging_face(held: Sequence[Sample], folder: Path, workers: int) -> Timed:
    """datasets, map-style: an Arrow file in memory, decoded by its ``Image`` feature, which is Pillow."""
    import datasets
    import numpy as np

    path = written(_formats.parquet, folder, held) / "train.parquet"
    rows = datasets.Dataset.from_parquet(str(path), cache_dir=str(folder / "arrow"))

    def decode(row: int) -> Any:
        found = rows[row]
        return np.array(found["image"]), np.array(found["label"])

    read = loader(Rows(len(held), decode), workers)
    return whole(len(held), lambda: read)


def webdataset(held: Sequence[Sample], folder: Path, workers: int) -> Timed:
    """Tars in turn, through a buffer that shuffles."""
    import webdataset as wds

    tars = sorted(map(str, written(_formats.tars, folder, held).glob("*.tar")))
    rows = wds.WebDataset(tars, shardshuffle=len(tars), empty_check=False).shuffle(256)
    rows = rows.to_tuple("jpg", "png").map(lambda pair: torch_decoded(*pair))
    read = loader(rows, workers, shuffle=None)
    return whole(len(held), lambda: read)


def streaming(held: Sequence[Sample], folder: Path, workers: int) -> Timed:
    """mosaicml-streaming."""
    from streaming import StreamingDataset

    class Mds(StreamingDataset):  # type: ignore[misc]
        def __getitem__(self, row: Any) -> Any:
            found = super().__getitem__(row)
            return torch_decoded(found["image"], found["label"])

    rows = Mds(local=str(written(_formats.mds, folder, held)), shuffle=True, batch_size=1)
    read = loader(rows, workers, shuffle=None)
    return whole(len(held), lambda: read)


def litdata(held: Sequence[Sample], folder: Path, workers: int) -> Timed:
    """litdata's own loader, for its data set keeps its place through it."""
    os.environ.setdefault("LITDATA_DISABLE_VERSION_CHECK", "1")
    from litdata import StreamingDataLoader, StreamingDataset

    class Chunks(StreamingDataset):  # type: ignore[misc]
        def __getitem__(self, row: Any) -> Any:
            found = super().__getitem__(row)
            return torch_decoded(found["image"], found["label"])

    rows = Chunks(str(written(_formats.chunks, folder, held)), shuffle=True)
    processes = 0 if workers == 1 else workers
    read = StreamingDataLoader(
        rows, batch_size=1, num_workers=processes, collate_fn=lambda batch: batch[0], persistent_workers=bool(processes)
    )
    return whole(len(held), lambda: read)


PEERS: dict[str, Callable[[Sequence[Sample], Path, int], Timed]] = {
    "torchvision VOCSegmentation": vocsegmentation,
    "files + torchvision.io": files,
    "datasets": hugging_face,
    "webdataset + torchvision.io": webdataset,
    "MDS + torchvision.io": streaming,
    "litdata + torchvision.io": litdata,
}
