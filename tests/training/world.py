"""A world small enough to train in: six noisy pictures with labels, and a VGG16 of eight channels."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
import yaml

from pipeline.backbones.shared.random_start import random_start
from pipeline.core import files
from pipeline.core.types import DatasetSpec, LabelSpec
from pipeline.fcn.net import FCN
from pipeline.runtime.observer import Pixels
from pipeline.shards.schema import Moments
from pipeline.spec import NetSpec
from pipeline.training.recipe import Data, Net, Recipe, SolverSpec, parse
from pipeline.training.train import train
from pipeline.weights import checkpoint
from tests.split import encoded, written

ROOT = Path(__file__).parents[2]
IDS = tuple(f"2008_00000{number}" for number in range(6))
SEMANTIC = LabelSpec(classes=("background", "cat", "dog"), palette=((0, 0, 0), (64, 0, 0), (64, 0, 128)))
GEOMETRIC = LabelSpec(classes=("sky", "ground"), palette=((0, 0, 255), (0, 255, 0)))
MOMENTS = Moments(mean=(61.5, 60.0, 59.25), std=(30.0, 30.0, 30.0))
KINDS: dict[str, type] = {"net": Net, "data": Data, "solver": SolverSpec}
SPEC = NetSpec(backbone="vgg16", width=1 / 32, crop=32, padding=20, mean=(120.0, 115.0, 105.0))


def shards(
    folder: Path, labels: Sequence[int] = (0, 1, 2, 255), semantic: LabelSpec = SEMANTIC, shuffled: bool = False
) -> Path:
    """Pictures of 40 to 45 px, each of one label and its colour under a strip of the last; two label columns.

    ``shuffled`` labels have nothing to do with their pictures: each pixel has one of ``labels`` by chance.
    """
    spec = DatasetSpec(name="noise", images=("color",), labels={"semantic": semantic, "geometric": GEOMETRIC})
    rows, counts = [], {head: np.zeros(256, int) for head in spec.labels}
    for number, name in enumerate(IDS):
        rng = np.random.default_rng(number)
        height, width = 40 + number, 44
        label = np.full((height, width), labels[number % len(labels)], np.uint8)
        label[:4] = labels[-1]
        color = (rng.integers(0, 60, (height, width, 3)) + 60 * (label[..., None] % 4)).astype(np.uint8)
        if shuffled:
            label = rng.choice(np.array(labels, np.uint8), label.shape)
        maps = {"semantic": label, "geometric": label // 2 % 2}
        columns = {"color": encoded(color), **{head: encoded(each) for head, each in maps.items()}}
        for head, each in maps.items():
            counts[head] += np.bincount(each.reshape(-1), minlength=256)
        rows.append({"id": name, **columns, "height": height, "width": width})
    pixels = {
        head: {**dict(zip(labels.classes, map(int, counts[head]), strict=False)), "void": int(counts[head][255])}
        for head, labels in spec.labels.items()
    }
    return written(folder, spec, rows, split="train", moments={"color": MOMENTS}, pixels=pixels)


def classifier(path: Path) -> Path:
    """A convolutionalized classifier of 20 classes with random weights, such as ``weights/vgg16-fcn.safetensors``."""
    net = FCN(SPEC)
    generator = torch.Generator().manual_seed(0)
    random_start(net, SPEC, generator)
    score = torch.randn(20, net.backbone.channels[32], 1, 1, generator=generator)
    tensors = {**net.state_dict(), "score.imagenet.weight": score, "score.imagenet.bias": torch.zeros(20)}
    classes = LabelSpec(classes=tuple(map(str, range(20))), palette=((0, 0, 0),) * 20)
    checkpoint.save(path, tensors, NetSpec.from_json({**SPEC.to_json(), "heads": {"imagenet": classes.to_json()}}))
    return path


# Each step multiplies the weights by -1e22: after two there is no number left, whatever the images and the processor
DIVERGING = {"lr": 1e-3, "weight_decay": 1e25}


def row(**changes: object) -> dict[str, dict[str, object]]:
    """A recipe's row as params.yaml has it, with some fields changed, each in the group that has it.

    The rate is so low that no processor's rounding ends in a loss of nan.
    """
    groups: dict[str, dict[str, object]] = {
        "net": {"backbone": "vgg16", "init": "weights/vgg16-fcn.safetensors", "stride": 32},
        "data": {"shards": "noise", "split": "train"},
        "solver": {"seed": 1337, "iterations": 20, "lr": 1e-7, "momentum": 0.9},
        "evaluate": {"shards": "noise", "split": "val"},
    }
    for field, value in changes.items():
        group = next((name for name, kind in KINDS.items() if field in kind.__dataclass_fields__), "solver")
        groups[group][field] = value
    return groups


def recipe(**changes: object) -> Recipe:
    """``row``, parsed."""
    return parse("noise-fcn", {name: group for name, group in row(**changes).items() if name in KINDS})


def fit(root: Path, out: str = "run", *, row: Recipe | None = None, **options: Any) -> dict[str, str]:
    """Train on ``root``/train from ``root``/init.safetensors, made where they lack, into ``root/out``: its digests."""
    data, init, folder = root / "train", root / "init.safetensors", root / out
    options = {"device": torch.device("cpu"), "say": len, **options}
    train(
        row or recipe(),
        shards=data if data.exists() else shards(data),
        init=init if init.exists() else classifier(init),
        model=folder / "model.safetensors",
        history=folder / "history.tsv",
        **options,
    )
    return digests(folder)


def digests(*folders: Path) -> dict[str, str]:
    """sha256 of each file in ``folders`` by its path there; hidden ones are no result."""
    found = [(folder, path) for folder in folders for path in folder.rglob("[!.]*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): files.sha256(path) for folder, path in found}


def trained(root: Path) -> dict[str, str]:
    """The digests of what a training in a ``repository`` wrote, which is taken away for the next."""
    found = digests(root / "runs/noise-fcn", root / "eval/noise-fcn")
    assert {"history.tsv", "model.safetensors", "milestones/index.json"} <= found.keys()
    for folder in ("runs", "eval"):
        shutil.rmtree(root / folder)
    return found


def losses(history: Path) -> list[float]:
    return [float(line.split("\t")[1]) for line in history.read_text().splitlines()[1:]]


def repository(root: Path, labels: Sequence[int] = (0, 1, 2, 255), **changes: object) -> Path:
    """A folder in which `python -m stages.train noise-fcn` runs: this code and dvc.yaml, one recipe, its inputs."""
    for name in ("pipeline", "stages", "dvc.yaml"):
        (root / name).symlink_to(ROOT / name)
    shards(root / "data/shards/noise/train", labels)
    (root / "weights").mkdir()
    classifier(root / "weights/vgg16-fcn.safetensors")
    configure(root, **changes)
    return root


def configure(root: Path, **changes: object) -> None:
    """Write ``root/params.yaml`` with the ``row``."""
    params = {"recipes": {"noise-fcn": row(**changes)}, "runtime": runtime()}
    (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def runtime() -> dict[str, object]:
    """params.yaml's ``runtime``, true of the machine that tests run on."""
    versions = {"python": ">=3.11", "torch": torch.__version__.split("+")[0], "pyarrow": pa.__version__}
    return {**versions, "launch": "python", "device": "cpu", "threads": 1, "precision": "fp32"}


class Seen:
    """Keeps what it is shown."""

    def __init__(self) -> None:
        self.points: list[tuple[int, Mapping[str, float]]] = []
        self.pictures: list[tuple[int, str]] = []
        self.shapes: list[tuple[int, ...]] = []
        self.alarms: list[tuple[int, str]] = []

    def point(self, step: int, values: Mapping[str, float]) -> None:
        self.points.append((step, values))

    def alarm(self, step: int, text: str) -> None:
        self.alarms.append((step, text))

    def labels(
        self,
        step: int,
        key: str,
        image: Pixels,
        truth: Mapping[str, Pixels],
        predicted: Mapping[str, Pixels],
        heads: Mapping[str, LabelSpec],
    ) -> None:
        assert image.shape == (*truth["semantic"].shape, 3)
        assert truth["semantic"].shape == predicted["semantic"].shape
        assert predicted["semantic"].max() < len(heads["semantic"].classes)
        self.pictures.append((step, key))
        self.shapes.append(image.shape)
