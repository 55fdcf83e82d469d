"""Pack a split's labels into the archive that PASCAL's evaluation server takes: equal labels give equal bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from pipeline.core.png import PASCAL, png
from pipeline.core.types import Refusal
from pipeline.datasets.shared.voc_classes import LABEL
from pipeline.fcn.net import FCN, LateFCN
from pipeline.miniature.shared import archive
from pipeline.serving.segment import Segmenter
from pipeline.submission.pictures import Pictures

HEAD = "semantic"
SUFFIXES = (".tar.gz", ".tgz")  # an archive that is not gzipped fails there (zhanghang1989/PyTorch-Encoding#225)
COMPETITIONS = ("comp5", "comp6")  # trained on VOC's trainval alone; on anything but its test (devkit, section 5.2)


def folder(competition: str) -> str:
    """Where the server looks for a competition's class segmentations (VOC2012 devkit, section 5.3)."""
    return f"results/VOC2012/Segmentation/{competition}_test_cls"


def refuse(net: FCN | LateFCN, out: Path) -> None:
    """Raise Refusal for a net that does not label photographs with VOC's classes, and for a name without .tar.gz."""
    spec = net.spec
    if spec.inputs != ("color",):
        raise Refusal(f"this net sees {' and '.join(spec.inputs)}, not photographs alone: submit one trained on VOC")
    if HEAD not in spec.heads or spec.heads[HEAD].classes != LABEL.classes:
        raise Refusal("this net's classes are not VOC's 21: submit one trained on voc or sbd")
    if not out.name.endswith(SUFFIXES):
        raise Refusal(f"{out} is not called {' or '.join(SUFFIXES)}, which the server asks for: name it so")


def write(out: Path, competition: str, pictures: Pictures, segmenter: Segmenter) -> None:
    """Label ``pictures`` and write ``out``, a tar.gz of palette PNGs by id, owner 0 and time 0; nothing if it stops.

    Raises Refusal as ``refuse``, before anything is labelled.
    """
    refuse(segmenter.net, out)
    archive.write_tgz(out, _members(folder(competition), pictures, segmenter))


def _members(place: str, pictures: Pictures, segmenter: Segmenter) -> Iterator[archive.Member]:
    for name in tqdm(sorted(pictures.ids), desc="submit", unit="image", disable=None):
        label = segmenter({"color": pictures.read(name)}, name)[HEAD]
        yield f"{place}/{name}.png", png(label, PASCAL)
