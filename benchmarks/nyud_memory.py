"""Convert a NYUDv2 file of the original's full size and tell memory and speed: python -m benchmarks.nyud_memory.

The file has all 1,449 frames of 480×640, cycling through a few rendered rooms; it takes 1–2 GB in a temporary folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

import click
import h5py
import numpy as np
import psutil
from scipy.io import savemat

from pipeline.datasets.nyud import FILE
from pipeline.miniature import nyud

FRAMES, TRAINVAL = 1449, 795
CONVERT = """
import sys
from functools import partial
from pathlib import Path
from pipeline.shards import writer
from pipeline.convert.dataset import plugin
if __name__ == "__main__":
    raw, out, processes = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    expect = ["trainval=795", "test=654"]
    writer.convert("nyud", partial(plugin, "nyud"), raw, out, rows_per_shard=300, expect=expect, processes=processes)
"""


def full_size(raw: Path, rooms: int) -> None:
    """Render ``rooms`` frames at 480×640 and repeat them, chunk by compressed chunk, until there are 1,449."""
    small = raw / "rooms"
    nyud.render(small, seed=7, side=640, train=rooms - 2, val=1, test=1)
    with h5py.File(small / FILE) as source, h5py.File(raw / FILE, "w", userblock_size=512) as target:
        for name in ("images", "depths", "rawDepths", "labels"):
            frame = source[name].shape[1:]
            layout = {"dtype": source[name].dtype, "chunks": (1, *frame), "compression": "gzip"}
            copies = target.create_dataset(name, (FRAMES, *frame), **layout)
            chunks = [zlib.compress(np.ascontiguousarray(source[name][room]).tobytes(), 1) for room in range(rooms)]
            for row in range(FRAMES):
                copies.id.write_direct_chunk((row, *(0,) * len(frame)), chunks[row % rooms])
    (small / "classMapping40.mat").rename(raw / "classMapping40.mat")
    numbers = np.arange(1, FRAMES + 1, dtype=np.uint16)[:, None]
    savemat(raw / "splits.mat", {"trainNdxs": numbers[:TRAINVAL], "testNdxs": numbers[TRAINVAL:]})


def measured(command: list[str]) -> tuple[float, float]:
    """Seconds, and the greatest memory in MB of the command's whole process tree, shared pages counted once (PSS)."""
    start, peak = time.monotonic(), 0
    with subprocess.Popen(command, cwd=Path(__file__).parents[1]) as process:
        tree = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, sum(map(_pss, [tree, *_children(tree)])))
            time.sleep(0.2)
    if process.returncode:
        raise click.ClickException("the conversion failed")
    return time.monotonic() - start, peak / 1e6


def _children(tree: psutil.Process) -> list[psutil.Process]:
    try:
        return tree.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _pss(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return 0


@click.command()
@click.option("--processes", default=os.cpu_count(), show_default=True)
@click.option("--rooms", default=12, show_default=True, help="Rendered frames to cycle through.")
def main(processes: int, rooms: int) -> None:
    """Print seconds, frames a second and peak memory of convert@nyud at full size."""
    with tempfile.TemporaryDirectory() as folder:
        raw, out = Path(folder, "raw"), Path(folder, "out")
        raw.mkdir()
        full_size(raw, rooms)
        click.echo(f"{FILE}: {(raw / FILE).stat().st_size / 1e9:.2f} GB, {FRAMES} frames")
        seconds, peak = measured([sys.executable, "-c", CONVERT, str(raw), str(out), str(processes)])
        shards = sum(path.stat().st_size for path in out.rglob("*.parquet")) / 1e9
        speed = f"{seconds:.0f} s, {FRAMES / seconds:.1f} frames/s"
        click.echo(f"{processes} processes: {speed}, {shards:.2f} GB of shards")
        click.echo(f"peak memory of all processes together: {peak:.0f} MB")


if __name__ == "__main__":
    main()
