"""Pack the miniature's streets as CamVid was published, for docs/dataset.md: python -m tests.docs.streets FOLDER."""

import sys
import zipfile
from pathlib import Path

import numpy as np

from pipeline.core.png import png
from pipeline.miniature.shared.outdoors import CODE, view

SIDE = 96
SPLITS = {"train": 12, "val": 4, "test": 4}
FILMS = {"train": "0001TP", "val": "0016E5", "test": "Seq05VD"}
# Of label_colors.txt, for the classes that have one there; the others are painted Void
COLORS = {
    "sky": (128, 128, 128),
    "building": (128, 0, 0),
    "window": (128, 0, 0),
    "pole": (192, 192, 128),
    "road": (128, 64, 128),
    "crosswalk": (128, 0, 192),  # LaneMkgsDriv
    "sidewalk": (0, 0, 192),
    "tree": (128, 128, 0),
    "plant": (192, 192, 0),  # VegetationMisc
    "sign": (192, 128, 128),
    "fence": (64, 64, 128),
    "car": (64, 0, 128),
    "bus": (192, 128, 192),  # Truck_Bus
    "person": (64, 64, 0),
}


def pack(folder: Path) -> None:
    """Write two zips and three lists into ``folder``: frames of ``SIDE`` pixels, labels in the published colours."""
    folder.mkdir(parents=True, exist_ok=True)
    palette = np.zeros((256, 3), np.uint8)
    for name, color in COLORS.items():
        palette[CODE[name]] = color
    streets = (f"street_{number}" for number in range(sum(SPLITS.values())))
    with (
        zipfile.ZipFile(folder / "701_StillsRaw_full.zip", "w") as images,
        zipfile.ZipFile(folder / "LabeledApproved_full.zip", "w") as labels,
    ):
        for split, count in SPLITS.items():
            frames = [f"{FILMS[split]}_{number:06}" for number in range(count)]
            for frame in frames:
                scene = view(7, next(streets), SIDE)
                images.writestr(f"701_StillsRaw_full/{frame}.png", png(scene.image))
                labels.writestr(f"{frame}_L.png", png(palette[scene.semantic]))
            (folder / f"{split}.txt").write_text("".join(f"{frame}\n" for frame in frames))


if __name__ == "__main__":
    pack(Path(sys.argv[1]))
