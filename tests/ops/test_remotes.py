"""DVC's remotes for real: what one clone pushes another pulls, and fcn doctor tells why one cannot."""

from __future__ import annotations

import getpass
import http.server
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.closure import ROOT
from tests.ops import stores
from tests.ops.test_run import environment, project
from tests.tracking.servers import free_port

STAGES = {
    "shards": {"cmd": "mkdir shards; echo 1 > shards/a; echo 2 > shards/b", "deps": ["code"], "outs": ["shards"]},
    "train": {"cmd": "cat shards/* > model", "deps": ["shards"], "outs": ["model"]},
}
GIT = ("-c", "user.name=author", "-c", "user.email=author@example.org")


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[stores.Ssh]:
    with stores.sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[stores.S3]:
    with stores.s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


def dvc(root: Path, *commands: str) -> str:
    """Several commands in one process: DVC takes a second to import."""
    program = (
        "import shlex, sys; from dvc.cli import main; sys.exit(any(main(shlex.split(each)) for each in sys.argv[1:]))"
    )
    process = [sys.executable, "-W", "ignore", "-c", program, *commands]
    done = subprocess.run(process, cwd=root, env=clean(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def doctor(root: Path, *checks: str, **variables: str) -> tuple[int, list[str]]:
    command = [sys.executable, "-m", "ops.fcn", "doctor", *checks]
    done = subprocess.run(command, cwd=root, env=clean() | variables, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stdout + done.stderr
    return done.returncode, done.stdout.splitlines()


def clean() -> dict[str, str]:
    """Nobody's keys but those that a test writes down."""
    return {name: value for name, value in environment().items() if not name.startswith("AWS_")}


def added(name: str, url: str, **options: object) -> list[str]:
    """The commands of docs/remotes.md; logins go to config.local, which git ignores."""
    local = {option: "" if option == "endpointurl" else "--local" for option in options}
    modified = [f"remote modify -q {local[option]} {name} {option} {value}" for option, value in options.items()]
    return [f"remote add -q --default {name} {url}", *modified]


def configure(root: Path, remotes: dict[str, tuple[str, dict[str, object]]]) -> None:
    """What ``added`` does, in less time."""
    with (root / ".dvc/config").open("a") as shared, (root / ".dvc/config.local").open("a") as private:
        for name, (url, options) in remotes.items():
            shared.write(f"['remote \"{name}\"']\n    url = {url}\n")
            private.write(f"['remote \"{name}\"']\n" + "".join(f"    {key} = {options[key]}\n" for key in options))


def assert_travels(folder: Path, url: str, **options: object) -> Path:
    """Push from one clone, pull in another that shares no cache with it: the same lock, and nothing to do."""
    author, reader = project(folder / "author", STAGES), folder / "reader"
    dvc(author, *added("team", url, **options), "repro -q", "push -q")
    for command in (["add", "."], ["commit", "-qm", "all of it"]):
        subprocess.run(["git", *GIT, *command], cwd=author, check=True)
    subprocess.run(["git", "clone", "-q", str(author), str(reader)], check=True)
    assert not (reader / "model").exists()
    if (author / ".dvc/config.local").exists():
        (reader / ".dvc/config.local").write_bytes((author / ".dvc/config.local").read_bytes())
    assert dvc(reader, "pull -q", "status") == "Data and pipelines are up to date.\n"
    assert (reader / "model").read_text() == "1\n2\n"
    assert (reader / "dvc.lock").read_bytes() == (author / "dvc.lock").read_bytes()
    committed = subprocess.run(["git", "-C", author, "show", "HEAD:.dvc/config"], capture_output=True, check=True)
    private = [value for option, value in options.items() if option not in ("endpointurl", "port")]
    assert not [value for value in private if f"= {value}\n".encode() in committed.stdout]
    code, lines = doctor(reader, "remote", "secrets")
    assert (code, len(lines)) == (0, 2), lines
    assert lines[0] == "ok    secrets   none in .dvc/config"
    assert lines[1] == f"ok    remote    team ({url}): written, read, deleted"
    return reader


def test_a_folder_brings_results_to_another_clone(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    assert_travels(tmp_path, str(tmp_path / "share"))
    assert [path.name for path in (tmp_path / "share").iterdir()] == ["files"]


def test_ssh_brings_results_to_another_clone(ssh: stores.Ssh, tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    url = f"ssh://127.0.0.1:{ssh.port}{tmp_path / 'share'}"
    assert_travels(tmp_path, url, user=getpass.getuser(), keyfile=ssh.key)
    assert [path.name for path in (tmp_path / "share").iterdir()] == ["files"]


def test_s3_brings_results_to_another_clone(s3: stores.S3, tmp_path: Path) -> None:
    assert_travels(tmp_path, f"s3://{stores.BUCKET}/fcn", endpointurl=s3.endpoint, **s3.team)


def test_a_wrong_ssh_remote_has_one_line_with_the_reason_within_ten_seconds(ssh: stores.Ssh, tmp_path: Path) -> None:
    root, closed, user = project(tmp_path / "project", {}), free_port(), getpass.getuser()
    there, login = f"ssh://127.0.0.1:{ssh.port}{tmp_path}", {"user": user, "keyfile": ssh.key}
    with stores.silent() as port:
        configure(
            root,
            {
                "key": (there, login | {"keyfile": ssh.other}),
                "password": (there, {"user": user, "password": "wr0ng-word"}),
                "file": (there, login | {"keyfile": tmp_path / "absent"}),
                "port": (f"ssh://127.0.0.1:{closed}/x", login),
                "host": ("ssh://no-such-host.invalid/x", login),
                "silence": (f"ssh://127.0.0.1:{port}/x", login),
                "unmounted": (f"{there}/absent", login),
            },
        )
        lines = refused(root)
    told(lines, "key", f"Permission denied for user {user} on host 127.0.0.1: docs/remotes.md")
    told(lines, "password", "EOFError: docs/remotes.md")
    told(lines, "file", f"No such file or directory: '{tmp_path}/absent': ")
    told(lines, "port", f"Connect call failed ('127.0.0.1', {closed}): ")
    told(lines, "host", "Name or service not known: ")
    told(lines, "silence", "no answer in 5 s: ")
    told(lines, "unmounted", f"no folder {tmp_path}/absent: mount it, or make it with mkdir -p")


def test_a_wrong_s3_remote_has_one_line_with_the_reason_within_ten_seconds(s3: stores.S3, tmp_path: Path) -> None:
    root, closed = project(tmp_path / "project", {}), free_port()
    there, keys = f"s3://{stores.BUCKET}/fcn", s3.team | {"endpointurl": s3.endpoint}
    with stores.silent() as port:
        configure(
            root,
            {
                "secret": (there, keys | {"secret_access_key": "wr0ng-word"}),
                "id": (there, keys | {"access_key_id": "WR0NGID"}),
                "bucket": ("s3://another/fcn", keys),
                "endpoint": (there, keys | {"endpointurl": f"http://127.0.0.1:{closed}"}),
                "tls": (there, keys | {"endpointurl": s3.endpoint.replace("http:", "https:")}),
                "silence": (there, keys | {"endpointurl": f"http://127.0.0.1:{port}"}),
                "none": (there, {"endpointurl": s3.endpoint}),
                "keeper": (there, s3.keeper | {"endpointurl": s3.endpoint}),
            },
        )
        lines = refused(root)
    told(lines, "secret", "The request signature we calculated does not match the signature you provided.")
    told(lines, "id", "The AWS Access Key Id you provided does not exist in our records: correct its keys")
    told(lines, "bucket", "The specified bucket does not exist: make the bucket, or dvc remote modify bucket url")
    told(lines, "endpoint", f"Connect call failed ('127.0.0.1', {closed})]: start it, or correct host and port")
    told(lines, "tls", "wrong version number (_ssl.c:")  # and the line of OpenSSL's source, another in each Python
    told(lines, "tls", ")]: write http:// in its endpointurl")
    told(lines, "silence", "does not answer in 5 s: is it up, and reached from here?")
    told(lines, "none", "Unable to locate credentials: give it keys with dvc remote modify --local none access_key_id")
    (line,) = [line for line in lines if " keeper (" in line]
    assert line.startswith("note  remote    keeper (")
    assert line.endswith("written and read; its key may not delete (Access Denied), which only `dvc gc` needs")
    assert not [line for line in lines if str(s3.team["secret_access_key"]) in line]


def refused(root: Path, **variables: str) -> list[str]:
    began = time.monotonic()
    code, lines = doctor(root, "remote", AWS_EC2_METADATA_DISABLED="true", **variables)
    took = time.monotonic() - began
    assert code == 1
    assert not [line for line in lines if "wr0ng-word" in line or "WR0NGID" in line]
    # Imports take seconds of a core, and while tests run the cores are shared
    assert took < 10 * max(1.0, os.getloadavg()[0] / len(os.sched_getaffinity(0))), took
    return lines


def told(lines: list[str], name: str, reason: str) -> None:
    (line,) = [line for line in lines if f" {name} (" in line]
    assert line.startswith(f"fix   remote    {name} (")
    assert reason in line


class Bucket(http.server.BaseHTTPRequestHandler):
    """What MinIO says to whoever asks it as if it were a web server."""

    def do_GET(self) -> None:
        self.send_response(403)
        self.send_header("X-Amz-Request-Id", "17A")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def test_what_no_key_would_mend_is_told_with_its_remedy(tmp_path: Path) -> None:
    root = project(tmp_path / "project", {})
    (tmp_path / "without/dvc_s3").mkdir(parents=True)
    (tmp_path / "without/dvc_s3/__init__.py").write_text("raise ImportError")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bucket) as server:
        threading.Thread(target=server.serve_forever).start()
        web = f"http://127.0.0.1:{server.server_port}"
        share = str(tmp_path / "share")
        urls = {"share": share, "s3": "s3://bucket/fcn", "gs": "gs://bucket/fcn", "minio": f"{web}/bucket/fcn"}
        configure(root, {name: (url, {}) for name, url in urls.items()})
        lines = refused(root, PYTHONPATH=f"{tmp_path / 'without'}:{ROOT}")
        server.shutdown()
    told(lines, "share", f"no folder {share}: mount it, or make it with mkdir -p")
    assert not (tmp_path / "share").exists()
    told(lines, "s3", "requires 'dvc-s3' to be installed: install it with uv pip install 'fcn-pipeline[remotes]'")
    told(lines, "gs", "requires 'dvc-gs' to be installed: install it with uv pip install 'dvc[gs]'")
    commands = f"dvc remote modify minio url s3://bucket/fcn && dvc remote modify minio endpointurl {web}"
    told(lines, "minio", f"is an S3 store, which DVC does not speak to at such a URL: {commands}")
    assert lines[-1] == "note  remote    none is the default, so `dvc push` wants -r: dvc remote default share"
