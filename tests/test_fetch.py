"""A file comes from a mirror, the store or a URL, goes on where it broke off, and never has another digest."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from pipeline.core import fields
from pipeline.core.types import Refusal
from pipeline.fetch.archives import fetch, fetch_all
from pipeline.fetch.download import Download

DATA = bytes(place * place % 251 for place in range(300_000))
FILE = Path("raw/file.bin")
SHA256 = hashlib.sha256(DATA).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves ``data`` at every path but those in ``gone``.

    ``cuts`` are the lengths after which coming responses break off, ``extra`` is how many bytes more it claims (None:
    it tells no length).
    """

    def __init__(
        self,
        data: bytes,
        *,
        cuts: tuple[int, ...] = (),
        ranges: bool = True,
        status: int = 200,
        extra: int | None = 0,
    ) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.data, self.cuts, self.ranges, self.status = data, list(cuts), ranges, status
        self.extra = extra
        self.asked: list[str | None] = []
        self.paths: list[str] = []
        self.gone: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file.bin"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, asked = self.server, self.headers.get("Range")
        server.asked.append(asked)
        server.paths.append(self.path)
        start, status = 0, 404 if self.path in server.gone else server.status
        if asked and server.ranges and status == 200:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            status = 206 if start < len(server.data) else 416
        self.send_response(status)
        start = min(start, len(server.data))
        if status == 416:
            self.send_header("Content-Range", f"bytes */{len(server.data)}")
        if server.extra is not None:
            self.send_header("Content-Length", str(len(server.data) - start + server.extra))
        self.end_headers()
        self.wfile.write(server.data[start:][: server.cuts.pop(0) if server.cuts else None])

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def serving(data: bytes, **how: Any) -> Iterator[Server]:
    with Server(data, **how) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # .downloads is relative
    for name in ("FCN_MIRROR", "FCN_OFFLINE", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/file.bin"


def get(*urls: str, sha256: tuple[str, ...] = (SHA256,), length: int | None = None) -> str:
    """Put the file into ``raw``; returns its digest."""
    return fetch(Download(name="file.bin", urls=urls, sha256=sha256, bytes=length), Path("raw"), pause=0.0)


def arrives(*urls: str, **how: Any) -> bool:
    return get(*urls, **how) == SHA256 and FILE.read_bytes() == DATA


def test_a_url_serves_after_dead_ones_and_the_store_remembers() -> None:
    with serving(b"gone", status=404) as gone, serving(DATA) as server:
        assert arrives(closed_port(), gone.url, "no url", server.url, length=len(DATA))
        assert [path.name for path in Path(".downloads").iterdir()] == [SHA256]
        FILE.unlink()
        assert arrives(server.url)
        assert server.asked == [None]
        (Path(".downloads") / SHA256).write_bytes(b"rotten")  # a damaged store is not believed
        assert arrives(server.url)
        assert server.asked == [None, None]


def test_when_all_fail_one_line_says_why() -> None:
    closed = closed_port()
    with serving(b"gone", status=404) as gone, serving(DATA[:-1]) as short, pytest.raises(Refusal) as refusal:
        get(closed, gone.url, short.url, "file:///nowhere/file.bin", length=len(DATA))
    line = str(refusal.value)
    assert "\n" not in line
    for why in (
        f"could not fetch file.bin: {closed}: ",
        "Connection refused",
        f"{gone.url}: HTTP 404",
        f"{short.url}: serves 299999 bytes, expected 300000",
        "No such file",
        "put it into a folder and set FCN_MIRROR to that folder",
    ):
        assert why in line


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_goes_on_where_it_stopped_or_starts_over(ranges: bool) -> None:
    with serving(DATA, cuts=(100_000, 0, 0), ranges=ranges) as server:
        with pytest.raises(Refusal, match="connection closed after"):
            get(server.url)
        assert arrives(server.url)  # as a later run
        assert server.asked[-1] == ("bytes=100000-" if ranges else None)
    assert [path.name for path in Path(".downloads").iterdir()] == [SHA256]
    with serving(DATA, cuts=(100_000, 50_000), ranges=ranges) as server:
        shutil.rmtree(".downloads")
        assert arrives(server.url)
        assert server.asked == [None, "bytes=100000-", "bytes=150000-" if ranges else "bytes=50000-"]


@pytest.mark.parametrize(
    ("old", "asked"),
    [
        (b"x" * 1000, ["bytes=1000-", None]),
        (DATA + b"more", [f"bytes={len(DATA) + 4}-", None]),
        (b"y" * len(DATA), [f"bytes={len(DATA)}-", None]),
        (DATA, [f"bytes={len(DATA)}-"]),
    ],
    ids=["another's piece", "longer", "another's", "all of it"],
)
def test_a_piece_of_another_file_is_fetched_again_as_a_whole(old: bytes, asked: list[str | None]) -> None:
    Path(".downloads").mkdir()
    Path(".downloads/file.bin.part").write_bytes(old)
    with serving(DATA) as server:
        assert arrives(server.url)
        assert server.asked == asked


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256"])
def test_any_listed_digest_will_do(algorithm: str) -> None:
    digest = f"{algorithm}:{hashlib.new(algorithm, DATA).hexdigest()}"
    with serving(DATA) as server:
        assert get(server.url, sha256=("0" * 64, digest)) == digest
        get(server.url, sha256=(digest, "md5:" + "1" * 32))
        assert server.asked == [None]


def test_without_a_digest_no_piece_is_gone_on_with() -> None:
    with serving(DATA[::-1], cuts=(10, 10, 10)) as first, serving(DATA) as second:
        with pytest.raises(Refusal, match="connection closed after"):
            get(first.url, sha256=())
        assert arrives(second.url, sha256=())  # as a later run
        assert second.asked == [None]
    assert get("nothing", sha256=(SHA256,)) == SHA256, "the store knows it"


PAGE = b"\xef\xbb\xbf\n<!DOCTYPE html><title>Sign in</title>"


@pytest.mark.parametrize("known", [(), (SHA256,)])
def test_a_web_page_is_refused_where_an_archive_was_asked_for(known: tuple[str, ...]) -> None:
    with serving(PAGE) as login, serving(DATA) as server:
        with pytest.raises(
            Refusal, match=r"could not fetch file\.bin: http\S+: sends a web page, not the file; put"
        ) as told:
            get(login.url, sha256=known)
        assert "\n" not in str(told.value) and list(Path(".downloads").iterdir()) == []
        assert len(login.asked) == 1, "asked again it says the same"
        assert arrives(login.url, server.url, sha256=known)


ZIPPED = BytesIO()
with zipfile.ZipFile(ZIPPED, "w") as packed:
    packed.writestr("a", DATA)


@pytest.mark.parametrize(
    ("name", "data", "how", "why"),
    [
        ("a.bin", DATA, {"extra": 100}, "connection closed after 300000 of 300100 bytes"),
        ("a.bin", DATA, {"extra": None}, "tells no length, so a cut would not be seen"),
        ("a.zip", ZIPPED.getvalue(), {"extra": -50}, "is no zip, or a zip cut short"),
        ("a.tgz", b"Not found", {}, "is no gzip"),
        ("a.bin", b"", {}, "is empty"),
    ],
)
def test_what_cannot_be_the_file_is_never_trusted(name: str, data: bytes, how: dict[str, Any], why: str) -> None:
    with serving(data, **how) as server, pytest.raises(Refusal, match=why):
        fetch(Download(name=name, urls=(server.url,)), Path("raw"), pause=0.0)
    with serving(ZIPPED.getvalue()) as server:
        fetch(Download(name="a.zip", urls=(server.url,)), Path("raw"), pause=0.0)
    assert [path.name for path in Path("raw").iterdir()] == ["a.zip"]


def test_with_a_digest_a_wrong_length_neither_hinders_nor_deceives() -> None:
    with serving(DATA, extra=None) as untold, serving(DATA, extra=100) as more, serving(DATA, extra=-100) as less:
        assert arrives(untold.url)
        shutil.rmtree(".downloads")
        assert arrives(more.url), "asked for the rest, it has none"
        shutil.rmtree(".downloads")
        with pytest.raises(Refusal, match=r"has sha256 \w+ \(299900 bytes\)"):
            get(less.url)


def test_a_file_url_serves_offline_and_nothing_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kept.bin").write_bytes(DATA)
    monkeypatch.setenv("FCN_OFFLINE", "1")
    with serving(DATA) as server:
        with pytest.raises(Refusal, match="FCN_OFFLINE is set"):
            get(server.url)
        assert arrives(server.url, (tmp_path / "kept.bin").as_uri(), length=7)
        assert server.asked == []
    with pytest.raises(Refusal, match=r"file\.bin: .*has 300000 bytes, expected 7"):
        get((tmp_path / "kept.bin").as_uri(), sha256=(), length=7)


def test_a_mirror_comes_first_and_stays_untouched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "file.bin").write_bytes(DATA)
    monkeypatch.setenv("FCN_MIRROR", str(mirror))
    with serving(DATA) as server:
        assert arrives(server.url, length=7)  # the length is the URLs'; a mirror is known by its digest
        assert server.asked == []
    assert not FILE.samefile(mirror / "file.bin")
    (mirror / "file.bin").write_bytes(DATA[1:])
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


def test_a_file_without_a_digest_is_trusted_once_and_checked_ever_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Path("data/digests/x.sha256")
    with serving(DATA) as server:
        row = {"folder": "raw", "files": [{"name": "file.bin", "urls": [server.url]}]}
        assert fetch_all("downloads.x", row) == {FILE: known}
        assert known.read_text() == f"{SHA256}  file.bin\n", "as sha256sum --check reads it"
        shutil.rmtree(".downloads")
        assert fetch_all("downloads.x", row) == {}, "the same file again"
        shutil.rmtree(".downloads")
        server.data = DATA[::-1]
        with pytest.raises(
            Refusal, match=rf"expected {SHA256}; .*; or remove file\.bin from {known}, to trust what"
        ) as told:
            fetch_all("downloads.x", row)
        assert "\n" not in str(told.value) and FILE.read_bytes() == DATA
        (tmp_path / "mirror").mkdir()
        (tmp_path / "mirror/file.bin").write_bytes(b"another")
        monkeypatch.setenv("FCN_MIRROR", str(tmp_path / "mirror"))
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
        server.gone = {"/c.bin"}
        with pytest.raises(Refusal, match=r"could not fetch c\.bin: .*HTTP 404"):
            fetch_all("downloads.x", row)
        assert not Path("raw").exists()
        server.gone = set()
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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": ["abc"]}, "'abc' is no digest"),
        ({"sha256": ["sha512:" + "0" * 64]}, "is no digest"),
        ({"name": "a/b"}, "no plain file name"),
        ({"name": ".."}, "no plain file name"),
        ({"size": 3}, "has no field 'size': it has name, urls, sha256, bytes"),
    ],
)
def test_a_row_is_read_strictly(change: dict[str, Any], message: str) -> None:
    with pytest.raises(Refusal, match=message):
        fields.read(Download, "downloads.x.files[0]", {"name": "a", "urls": [], "sha256": [], "bytes": None} | change)
