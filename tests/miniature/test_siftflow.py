"""The miniature SIFT Flow has the original's layout."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import loadmat

from pipeline.miniature import siftflow

FOLDER = "spatial_envelope_256x256_static_8outdoorcategories"
ZIP = "SiftFlowDataset.zip"


def test_the_zip_has_the_originals_members(tmp_path: Path) -> None:
    members = rendered(tmp_path, trainval=9, test=3, unannotated=2)
    names = {Path(name).stem for name in members if name.startswith("Images/")}
    assert len(names) == 14
    assert {name.split("_")[0] for name in names} >= {"coast", "forest", "street", "tallbuilding"}

    lines = members["TestSet1.txt"].decode().splitlines()
    assert len(lines) == 3 and all(line.startswith(f"{FOLDER}\\") and line.endswith(".jpg") for line in lines)
    assert {f"Images/{line}".replace("\\", "/") for line in lines} < members.keys()
    for name in names:
        with Image.open(io.BytesIO(members[f"Images/{FOLDER}/{name}.jpg"])) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (48, 48))


def test_maps_are_doubles_with_names_and_metadata_beside_them(tmp_path: Path) -> None:
    members = rendered(tmp_path, trainval=3, test=1, unannotated=0)
    for folder, classes, values in (("SemanticLabels", 33, range(34)), ("GeoLabels", 3, (-1, 1, 2, 3))):
        found = [loadmat(io.BytesIO(data)) for name, data in members.items() if name.startswith(folder)]
        assert len(found) == 4
        for variables in found:
            assert variables["S"].dtype == np.float64 and variables["S"].shape == (48, 48)
            assert set(np.unique(variables["S"])) <= set(values)
            assert variables["names"].shape == (classes, 1) and "metaData" in variables


def test_images_nobody_labelled_come_in_two_kinds(tmp_path: Path) -> None:
    members = rendered(tmp_path, trainval=2, test=2, unannotated=4)
    names = {Path(name).stem for name in members if name.startswith("Images/")}
    bare = {name for name in names if f"SemanticLabels/{FOLDER}/{name}.mat" not in members}
    void = {name for name in names - bare if not loadmat(semantic(members, name))["S"].any()}
    assert (len(names), len(bare), len(void)) == (8, 2, 2)
    for name in bare:
        assert f"GeoLabels/{FOLDER}/{name}.mat" not in members
    for name in void:
        assert (loadmat(io.BytesIO(members[f"GeoLabels/{FOLDER}/{name}.mat"]))["S"] == -1).all()


def test_an_image_does_not_depend_on_how_many_there_are(tmp_path: Path) -> None:
    few = rendered(tmp_path / "few", trainval=3, test=2, unannotated=1)
    many = rendered(tmp_path / "many", trainval=8, test=4, unannotated=2)
    del few["TestSet1.txt"]
    assert few.items() <= many.items()


def rendered(folder: Path, *, trainval: int, test: int, unannotated: int) -> dict[str, bytes]:
    """The members of a zip with squares of 48 pixels."""
    siftflow.render(folder, seed=3, side=48, trainval=trainval, test=test, unannotated=unannotated)
    with zipfile.ZipFile(folder / ZIP) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def semantic(members: dict[str, bytes], name: str) -> io.BytesIO:
    return io.BytesIO(members[f"SemanticLabels/{FOLDER}/{name}.mat"])
