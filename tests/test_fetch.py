"""A file comes from a mirror, the store or a URL, goes on where it broke off, and never has another digest."""

from __future__ import annotations

import hashlib
import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from pipeline.core.types import Refusal
from pipeline.fetch.archives import Download, Fetched, fetch, fetch_all, fetch_weights

DATA = bytes(place * place % 251 for place in range(300_000))
SHA256 = hashlib.sha256(DATA).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves ``data`` at every path; ``cuts`` are the lengths after which coming responses break off."""

    def __init__(self, data: bytes, *, cuts: tuple[int, ...] = (), ranges: bool = True, status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.data, self.cuts, self.ranges, self.status = data, list(cuts), ranges, status
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file.bin"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        data, start, status = self.server.data, 0, self.server.status
        if asked and self.server.ranges and status == 200:
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            status = 206 if start < len(data) else 416
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if status == 416:
            self.send_header("Content-Range", f"bytes */{len(data)}")
            start = len(data)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        self.wfile.write(data[start:][: self.server.cuts.pop(0) if self.server.cuts else None])

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def serving(data: bytes, **how: Any) -> Iterator[Server]:
    with Server(data, **how) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
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


def get(*urls: str, sha256: tuple[str, ...] = (SHA256,), length: int | None = None) -> Fetched:
    return fetch(Download(name="file.bin", urls=urls, sha256=sha256, bytes=length), Path("raw"), pause=0.0)


def test_a_url_serves_and_the_store_remembers() -> None:
    with serving(DATA) as server:
        fetched = get(server.url, length=len(DATA))
        assert fetched == Fetched(path=Path("raw/file.bin"), digest=SHA256, known=True)
        assert fetched.path.read_bytes() == DATA
        fetched.path.unlink()
        get(server.url)
        assert server.asked == [None]
    assert [path.name for path in Path(".downloads").iterdir()] == [SHA256]


def test_a_dead_first_url_is_passed_over() -> None:
    with serving(b"gone", status=404) as gone, serving(DATA) as server:
        assert get(closed_port(), gone.url, "no url", server.url).path.read_bytes() == DATA


def test_when_all_fail_one_line_says_why() -> None:
    closed = closed_port()
    with serving(b"gone", status=404) as gone, serving(DATA[:-1]) as short, pytest.raises(Refusal) as refusal:
        get(closed, gone.url, short.url, "file:///nowhere/file.bin", length=len(DATA))
    line = str(refusal.value)
    assert "\n" not in line
    assert line.startswith(f"could not fetch file.bin: {closed}: ")
    assert "Connection refused" in line
    assert f"{gone.url}: HTTP 404" in line
    assert f"{short.url}: serves 299999 bytes, expected 300000" in line
    assert "No such file" in line
    assert line.endswith("put it into a folder and set FCN_MIRROR to that folder")


def test_a_broken_download_goes_on_where_it_stopped() -> None:
    with serving(DATA, cuts=(100_000, 50_000)) as server:
        assert get(server.url).path.read_bytes() == DATA
        assert server.asked == [None, "bytes=100000-", "bytes=150000-"]


def test_a_later_run_goes_on_with_what_an_earlier_one_left() -> None:
    with serving(DATA, cuts=(100_000, 0, 0)) as server:
        with pytest.raises(Refusal, match="connection closed after 100000 of 300000 bytes"):
            get(server.url)
        assert get(server.url).path.read_bytes() == DATA
        assert server.asked[-1] == "bytes=100000-"
    assert not Path(".downloads/file.bin.part").exists()


def test_a_server_without_ranges_starts_over() -> None:
    with serving(DATA, cuts=(100_000,), ranges=False) as server:
        assert get(server.url).path.read_bytes() == DATA
        assert server.asked == [None, "bytes=100000-"]


@pytest.mark.parametrize("old", [b"x" * 1000, DATA + b"more", b"y" * len(DATA)])
def test_a_piece_of_another_file_is_fetched_again_as_a_whole(old: bytes) -> None:
    Path(".downloads").mkdir()
    Path(".downloads/file.bin.part").write_bytes(old)
    with serving(DATA) as server:
        assert get(server.url).path.read_bytes() == DATA
        assert server.asked[-1] is None


def test_a_whole_piece_is_only_verified() -> None:
    Path(".downloads").mkdir()
    Path(".downloads/file.bin.part").write_bytes(DATA)
    with serving(DATA) as server:
        assert get(server.url).path.read_bytes() == DATA
        assert server.asked == [f"bytes={len(DATA)}-"]


def test_a_flipped_byte_is_refused_naming_both_digests() -> None:
    flipped = DATA[:7] + bytes([DATA[7] ^ 1]) + DATA[8:]
    with serving(flipped) as server, pytest.raises(Refusal) as refusal:
        get(server.url)
    assert f"has sha256 {hashlib.sha256(flipped).hexdigest()} (300000 bytes), expected {SHA256}" in str(refusal.value)
    assert list(Path(".downloads").iterdir()) == []
    assert not Path("raw/file.bin").exists()


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256"])
def test_any_listed_digest_will_do(algorithm: str) -> None:
    digest = f"{algorithm}:{hashlib.new(algorithm, DATA).hexdigest()}"
    with serving(DATA) as server:
        assert get(server.url, sha256=("0" * 64, digest)).digest == digest
        get(server.url, sha256=(digest, "md5:" + "1" * 32))
        assert server.asked == [None]


def test_without_a_digest_what_comes_is_trusted_and_told() -> None:
    with serving(DATA) as server:
        fetched = get(server.url, sha256=())
        assert (fetched.digest, fetched.known) == (SHA256, False)
        assert get("nothing", sha256=(SHA256,)).known
    with serving(DATA, cuts=(10, 10, 10)) as server, pytest.raises(Refusal):
        get(server.url, sha256=())


def test_a_file_url_serves_offline_and_nothing_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kept.bin").write_bytes(DATA)
    monkeypatch.setenv("FCN_OFFLINE", "1")
    with serving(DATA) as server:
        with pytest.raises(Refusal, match="FCN_OFFLINE is set"):
            get(server.url)
        assert get(server.url, (tmp_path / "kept.bin").as_uri(), length=7).path.read_bytes() == DATA
        assert server.asked == []
    with pytest.raises(Refusal, match=r"file\.bin: .*has 300000 bytes, expected 7"):
        get((tmp_path / "kept.bin").as_uri(), sha256=(), length=7)


def test_a_mirror_comes_first_and_stays_untouched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "file.bin").write_bytes(DATA)
    monkeypatch.setenv("FCN_MIRROR", str(mirror))
    with serving(DATA) as server:
        fetched = get(server.url, length=7)  # the length is the URLs'; a mirror is known by its digest
        assert server.asked == []
    assert fetched.path.read_bytes() == DATA
    assert not fetched.path.samefile(mirror / "file.bin")
    (mirror / "file.bin").write_bytes(DATA[1:])
    with pytest.raises(Refusal, match=rf"file\.bin \(FCN_MIRROR\) has sha256 \w+ \(299999 bytes\), expected {SHA256}"):
        get("http://unused")


def test_a_mirror_that_lacks_the_file_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FCN_MIRROR", str(tmp_path))
    with serving(DATA) as server:
        assert get(server.url).path.read_bytes() == DATA
    monkeypatch.setenv("FCN_MIRROR", str(tmp_path / "typo"))
    with pytest.raises(Refusal, match=r"FCN_MIRROR is .*typo, no folder"):
        get("http://unused")


def test_a_damaged_store_is_not_believed() -> None:
    with serving(DATA) as server:
        get(server.url)
        (Path(".downloads") / SHA256).write_bytes(b"rotten")
        assert get(server.url).path.read_bytes() == DATA
        assert len(server.asked) == 2


def test_a_folder_holds_what_its_row_lists_or_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(DATA)
    row = {"name": "a.bin", "urls": [(tmp_path / "a.bin").as_uri()], "sha256": [SHA256], "bytes": None}
    Path("raw").mkdir()
    Path("raw/stale").touch()
    with pytest.raises(Refusal):
        fetch_all([row, {**row, "name": "b.bin", "urls": [], "sha256": ["1" * 64]}], Path("raw"))
    assert [path.name for path in Path("raw").iterdir()] == ["stale"]
    (fetched,) = fetch_all([row], Path("raw"))
    assert fetched.path == Path("raw/a.bin")
    assert [path.name for path in Path("raw").iterdir()] == ["a.bin"]


def test_weights_come_with_their_manifest(tmp_path: Path) -> None:
    (tmp_path / "net.caffemodel").write_bytes(DATA)
    url = (tmp_path / "net.caffemodel").as_uri()
    manifest = {
        "format": "caffe",
        "order": "BGR",
        "range": 255,
        "mean": [104.0, 117.0, 123.0],
        "std": [1.0, 1.0, 1.0],
        "crop": 224,
        "width": 1.0,
        "source": "https://example.org",
        "licence": "unrestricted",
    }
    file = {"name": "net.caffemodel", "urls": [url], "sha256": [SHA256], "bytes": len(DATA)}
    fetch_weights({"file": file, "manifest": manifest}, Path("weights"))
    assert json.loads(Path("weights/manifest.json").read_text()) == {
        **manifest,
        "file": "net.caffemodel",
        "classes": [],
    }
    assert Path("weights/net.caffemodel").read_bytes() == DATA
    with pytest.raises(Refusal, match=r"manifest of net\.caffemodel lacks or does not know means, std"):
        del manifest["std"]
        fetch_weights({"file": file, "manifest": {**manifest, "means": 3}}, Path("weights"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": ["abc"]}, "'abc' is no digest"),
        ({"sha256": ["sha512:" + "0" * 64]}, "is no digest"),
        ({"sha256": [12345]}, "quote the digests"),
        ({"sha256": SHA256}, "lists of text"),
        ({"bytes": "12"}, "bytes is '12'"),
        ({"name": "a/b"}, "no plain file name"),
        ({"name": ".."}, "no plain file name"),
        ({"size": 3}, "give it name, urls, sha256 and bytes"),
    ],
)
def test_a_row_is_read_strictly(change: dict[str, Any], message: str) -> None:
    row = {"name": "a", "urls": [], "sha256": [], "bytes": None}
    with pytest.raises(Refusal, match=message):
        Download.parse(row | change)
