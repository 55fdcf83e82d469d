"""A file comes from a mirror, the store or a URL, goes on where it broke off, and never has another digest."""

import hashlib
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from pipeline.core.types import Refusal
from pipeline.fetch.archives import fetch
from pipeline.fetch.download import Download

CLOSED = "http://127.0.0.1:9/file.bin"
DATA = bytes(place * place % 251 for place in range(300_000))
FILE = Path("raw/file.bin")
UNSET = ("FCN_MIRROR", "FCN_OFFLINE", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
SHA256 = hashlib.sha256(DATA).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves ``data`` at every path but those in ``gone``.

    ``cuts`` are the lengths after which coming responses break off, ``extra`` is how many bytes more it claims (None:
    it tells no length), ``mark`` the ETag. One that is not ``exact`` sends pieces whatever If-Range says.
    """

    cuts: tuple[int, ...] = ()
    ranges = True
    status = 200
    extra: int | None = 0
    mark = ""
    exact = True
    gone: tuple[str, ...] = ()

    def __init__(self, data: bytes, **how: Any) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.data = data
        self.asked: list[str | None] = []
        self.paths: list[str] = []
        vars(self).update(how)

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
        same = self.headers.get("If-Range") in (None, server.mark) or not server.exact
        if asked and server.ranges and same and status == 200:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            status = 206 if start < len(server.data) else 416
        self.send_response(status)
        start = min(start, len(server.data))
        if server.mark:
            self.send_header("ETag", server.mark)
        if status == 416:
            self.send_header("Content-Range", f"bytes */{len(server.data)}")
        if server.extra is not None:
            self.send_header("Content-Length", str(len(server.data) - start + server.extra))
        self.end_headers()
        cut, server.cuts = (server.cuts[0] if server.cuts else None), server.cuts[1:]
        self.wfile.write(server.data[start:][:cut])

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
    for name in UNSET:
        monkeypatch.delenv(name, raising=False)


def get(*urls: str, sha256: tuple[str, ...] = (SHA256,), length: int | None = None) -> str:
    """Put the file into ``raw``; returns its digest."""
    return fetch(Download(name="file.bin", urls=urls, sha256=sha256, bytes=length), Path("raw"), pause=0.0)


def arrives(*urls: str, **how: Any) -> bool:
    return get(*urls, **how) == SHA256 and FILE.read_bytes() == DATA


def test_a_url_serves_after_dead_ones_and_the_store_remembers() -> None:
    with serving(b"gone", status=404) as gone, serving(DATA) as server:
        assert arrives(CLOSED, gone.url, "no url", server.url, length=len(DATA))
        assert [path.name for path in Path(".downloads").iterdir()] == [SHA256]
        FILE.unlink()
        assert arrives(server.url)
        assert server.asked == [None]
        (Path(".downloads") / SHA256).write_bytes(b"rotten")  # a damaged store is not believed
        assert arrives(server.url)
        assert server.asked == [None, None]


def test_when_all_fail_one_line_says_why() -> None:
    with serving(b"gone", status=404) as gone, serving(DATA[:-1]) as short, pytest.raises(Refusal) as refusal:
        get(CLOSED, gone.url, short.url, "file:///nowhere/file.bin", length=len(DATA))
    line = str(refusal.value)
    assert "\n" not in line
    for why in (
        f"could not fetch file.bin: {CLOSED}: ",
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


@pytest.mark.parametrize(
    ("mark", "later", "exact", "asked"),
    [
        ('"v1"', '"v1"', True, ["bytes=30-"]),
        ('"v1"', '"v2"', True, ["bytes=30-"]),  # answered by the whole
        ('"v1"', '"v2"', False, ["bytes=30-", None]),  # by a piece of the new one, which is not taken
        ('W/"v1"', 'W/"v1"', True, [None]),  # says nothing of bytes
        ("", "", True, [None]),
    ],
)
def test_without_a_digest_a_piece_goes_on_only_while_the_server_calls_it_the_same(
    mark: str, later: str, exact: bool, asked: list[str | None]
) -> None:
    old = DATA if mark == later else DATA[::-1]
    with serving(old, cuts=(10, 10, 10), mark=mark, exact=exact) as server:
        with pytest.raises(Refusal, match="connection closed after"):
            get(server.url, sha256=())
        server.data, server.mark, before = DATA, later, len(server.asked)
        assert arrives(server.url, sha256=())  # as a later run
        assert server.asked[before:] == asked
        assert [path.name for path in Path(".downloads").iterdir()] == [SHA256]
    assert get("nothing", sha256=(SHA256,)) == SHA256, "the store knows it"


def test_without_a_digest_another_urls_piece_is_not_gone_on_with() -> None:
    with serving(DATA[::-1], cuts=(10, 10, 10), mark='"a"') as first, serving(DATA, mark='"a"') as second:
        assert arrives(first.url, second.url, sha256=())
        assert second.asked == [None]


PAGE = b"\xef\xbb\xbf\n<!DOCTYPE html><title>Sign in</title>"


@pytest.mark.parametrize("known", [(), (SHA256,)])
def test_a_web_page_is_refused_where_an_archive_was_asked_for(known: tuple[str, ...]) -> None:
    with serving(PAGE) as login, serving(DATA) as server:
        reason = r"^could not fetch file\.bin: http\S+: sends a web page, not the file; put.*$"
        with pytest.raises(Refusal, match=reason):
            get(login.url, sha256=known)
        assert list(Path(".downloads").iterdir()) == []
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


def test_a_file_url_serves_offline_and_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    (kept := Path("kept.bin").absolute()).write_bytes(DATA)
    monkeypatch.setenv("FCN_OFFLINE", "1")
    with serving(DATA) as server:
        with pytest.raises(Refusal, match="FCN_OFFLINE is set"):
            get(server.url)
        assert arrives(server.url, kept.as_uri(), length=7)
        assert server.asked == []
    with pytest.raises(Refusal, match=r"file\.bin: .*has 300000 bytes, expected 7"):
        get(kept.as_uri(), sha256=(), length=7)
