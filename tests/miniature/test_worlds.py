"""Every miniature world is the same bytes, whichever process renders it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pipeline.core import files

ROOT = Path(__file__).parents[2]
RENDER = """
from pathlib import Path
from pipeline.miniature import imagenet, sbd, voc
voc.render(Path("voc"), seed=3, side=64, train=4, val=3, held_out=2)
sbd.render(Path("sbd"), seed=3, side=64, train=8, val=2, held_out=2)
imagenet.render(Path("imagenet"), seed=3, side=48, train=1, val=1)
"""


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    first, second = rendered(tmp_path / "first", salt="1"), rendered(tmp_path / "second", salt="2")

    assert first == second
    assert sorted(first) == [
        "imagenet/ILSVRC2012_img_train.tar",
        "imagenet/ILSVRC2012_img_val.tar",
        "imagenet/classes.txt",
        "sbd/benchmark.tgz",
        "sbd/seg11valid.txt",
        "voc/VOCtrainval_11-May-2012.tar",
        "voc/seg11valid.txt",
    ]


def rendered(folder: Path, salt: str) -> dict[str, str]:
    folder.mkdir()
    environment = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": salt, "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", RENDER], cwd=folder, env=environment, check=True)
    return {str(path.relative_to(folder)): files.sha256(path) for path in folder.rglob("*") if path.is_file()}
