"""DVC's remotes for real, an SSH server and an S3 endpoint on loopback: what one clone pushes another pulls; doctor."""

import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest

from tests.closure import ROOT
from tests.launch import git
from tests.ops.test_run import environment, project
from tests.tracking.servers import free_port, running

STAGES = {
    "shards": {"cmd": "mkdir shards; echo 1 > shards/a; echo 2 > shards/b", "deps": ["code"], "outs": ["shards"]},
    "train": {"cmd": "cat shards/* > model", "deps": ["shards"], "outs": ["model"]},
}
SSHD = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/key.pub
StrictModes no
UsePAM no
PidFile none
KbdInteractiveAuthentication no
PermitRootLogin yes
Subsystem sftp internal-sftp
"""
BUCKET = "fcn-data"
Login = dict[str, object]  # DVC's options


class Ssh(NamedTuple):
    """A server that lets in the holder of ``key``; ``other`` is a key that it does not know."""

    port: int
    key: Path
    other: Path


class S3(NamedTuple):
    """``team`` may do everything, ``keeper`` delete nothing."""

    team: Login
    keeper: Login


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ssh]:
    """Debian's, as whoever runs the test; skips where it is absent."""
    folder = tmp_path_factory.mktemp("sshd")
    program = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("no sshd here: apt-get install openssh-server")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # what Debian's unit does before it starts one as root
    for name in ("host", "key", "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    port = free_port()
    (folder / "config").write_text(SSHD.format(port=port, folder=folder))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([program, "-D", "-e", "-f", str(folder / "config")], stdout=log, stderr=log)
    try:
        until = time.monotonic() + 20
        while "listening" not in (folder / "log").read_text():
            assert process.poll() is None and time.monotonic() < until, (folder / "log").read_text()
            time.sleep(0.05)
        yield Ssh(port, folder / "key", folder / "other")
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """moto with its IAM turned on after the requests that make two users and ``BUCKET``: a wrong key is refused."""
    folder = tmp_path_factory.mktemp("s3")
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    opened = {"INITIAL_NO_AUTH_ACTION_COUNT": "7"}
    login = {"aws_access_key_id": "nobody", "aws_secret_access_key": "yet", "region_name": "us-east-1"}
    with running(command, f"{endpoint}/moto-api/data.json", opened, folder / "moto.log"):
        iam = boto3.client("iam", endpoint_url=endpoint, **login)
        team = _user(iam, "team", ["s3:*"])
        keeper = _user(iam, "keeper", ["s3:PutObject", "s3:GetObject", "s3:ListBucket"])
        bucket = boto3.client("s3", endpoint_url=endpoint, **login)
        bucket.create_bucket(Bucket=BUCKET)
        for client in (iam, bucket):
            client.close()
        yield S3(team | {"endpointurl": endpoint}, keeper | {"endpointurl": endpoint})


def _user(iam: Any, name: str, actions: list[str]) -> Login:
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}


@contextmanager
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield int(server.getsockname()[1])


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


def assert_travels(folder: Path, url: str, **options: object) -> None:
    """Push from one clone, pull in another that shares no cache with it: the same lock, and nothing to do."""
    folder.mkdir()
    author, reader = project(folder / "author", STAGES), folder / "reader"
    dvc(author, *added("team", url, **options), "repro -q", "push -q")
    for command in (["add", "."], ["commit", "-qm", "all of it"], ["clone", "-q", ".", str(reader)]):
        git(author, *command)
    assert not (reader / "model").exists()
    if (author / ".dvc/config.local").exists():
        (reader / ".dvc/config.local").write_bytes((author / ".dvc/config.local").read_bytes())
    assert dvc(reader, "pull -q", "status") == "Data and pipelines are up to date.\n"
    assert (reader / "model").read_text() == "1\n2\n"
    assert (reader / "dvc.lock").read_bytes() == (author / "dvc.lock").read_bytes()
    private = [value for option, value in options.items() if option not in ("endpointurl", "port")]
    committed = f"{git(author, 'show', 'HEAD:.dvc/config')}\n"
    assert not [value for value in private if f"= {value}\n" in committed]
    code, lines = doctor(reader, "remote", "secrets")
    assert (code, len(lines)) == (0, 2), lines
    assert lines[0] == "ok    secrets   none in .dvc/config"
    assert lines[1] == f"ok    remote    team ({url}): written, read, deleted"


def test_a_folder_ssh_and_s3_bring_results_to_another_clone(ssh: Ssh, s3: S3, tmp_path: Path) -> None:
    (share := tmp_path / "share").mkdir()
    assert_travels(tmp_path / "folder", str(share))
    assert [path.name for path in share.iterdir()] == ["files"]
    url = f"ssh://127.0.0.1:{ssh.port}{tmp_path}"
    assert_travels(tmp_path / "ssh", url, user=getpass.getuser(), keyfile=ssh.key)
    assert_travels(tmp_path / "s3", f"s3://{BUCKET}/fcn", **s3.team)


def test_a_wrong_ssh_remote_has_one_line_with_the_reason(ssh: Ssh, tmp_path: Path) -> None:
    closed, user = free_port(), getpass.getuser()
    there, login = f"ssh://127.0.0.1:{ssh.port}{tmp_path}", {"user": user, "keyfile": ssh.key}
    assert_refused(
        tmp_path,
        key=(there, login | {"keyfile": ssh.other}, f"Permission denied for user {user} on host 127.0.0.1"),
        password=(there, {"user": user, "password": "wr0ng-word"}, "EOFError"),
        port=(f"ssh://127.0.0.1:{closed}/x", login, f"Connect call failed ('127.0.0.1', {closed})"),
        host=("ssh://no-such-host.invalid/x", login, "Name or service not known"),
        unmounted=(f"{there}/absent", login, f"no folder {tmp_path}/absent: mount it, or make it with mkdir -p"),
    )


def test_a_wrong_s3_remote_has_one_line_with_the_reason(s3: S3, tmp_path: Path) -> None:
    closed, there = f"http://127.0.0.1:{free_port()}", f"s3://{BUCKET}/fcn"
    lines = assert_refused(
        tmp_path,
        secret=(there, s3.team | {"secret_access_key": "wr0ng-word"}, "The request signature we calculated does not"),
        bucket=("s3://another/fcn", s3.team, "The specified bucket does not exist"),
        endpoint=(there, s3.team | {"endpointurl": closed}, f'Could not connect to the endpoint URL: "{closed}/'),
        none=(there, {"endpointurl": s3.team["endpointurl"]}, "Unable to locate credentials"),
        keeper=(there, s3.keeper, None),
    )
    assert lines[-1].startswith("note  remote    keeper (")
    assert lines[-1].endswith("written and read, but not deleted (Access Denied), which only `dvc gc --cloud` needs")


def test_a_silent_host_is_given_up(tmp_path: Path) -> None:
    """Plain clients wait up to half an hour."""
    with silent() as port:
        endpoint = {"endpointurl": f"http://127.0.0.1:{port}", "access_key_id": "a", "secret_access_key": "b"}
        assert_refused(
            tmp_path,
            s3=(f"s3://{BUCKET}/fcn", endpoint, "no answer in 8 s"),
            ssh=(f"ssh://127.0.0.1:{port}/x", {"user": "u", "password": "wr0ng-word"}, "no answer in 8 s"),
        )


def test_what_no_key_would_mend_is_told(tmp_path: Path) -> None:
    (tmp_path / "without/dvc_s3").mkdir(parents=True)
    (tmp_path / "without/dvc_s3/__init__.py").write_text("raise ImportError")
    lines = assert_refused(
        tmp_path,
        share=(str(tmp_path / "share"), {}, f"no folder {tmp_path / 'share'}: mount it, or make it with mkdir -p"),
        s3=("s3://bucket/fcn", {}, "requires 'dvc-s3' to be installed"),
        gs=("gs://bucket/fcn", {}, "requires 'dvc-gs' to be installed"),
        web=("http://127.0.0.1:9/fcn", {}, None),
        path=f"{tmp_path / 'without'}:{ROOT}",
    )
    assert not (tmp_path / "share").exists()
    assert "note  remote    web (http://127.0.0.1:9/fcn): not asked: DVC only pulls from a web server" in lines


def assert_refused(
    folder: Path, *, path: str = str(ROOT), **remotes: tuple[str, dict[str, object], str | None]
) -> list[str]:
    """Each of ``remotes``, a URL, options and the reason, is told in a line without a secret, and none hangs."""
    root = project(folder / "project", {})
    with (root / ".dvc/config").open("a") as shared, (root / ".dvc/config.local").open("a") as private:
        for name, (url, options, _) in remotes.items():
            shared.write(f"['remote \"{name}\"']\n    url = {url}\n")
            private.write(f"['remote \"{name}\"']\n" + "".join(f"    {key} = {options[key]}\n" for key in options))
    code, lines = doctor(root, "remote", AWS_EC2_METADATA_DISABLED="true", PYTHONPATH=path)
    assert (code, len(lines)) == (1, len(remotes))
    for line, (name, (url, options, reason)) in zip(lines, remotes.items(), strict=True):
        assert reason is None or (line.startswith(f"fix   remote    {name} ({url}): ") and reason in line), line
        assert reason is None or line.endswith(": docs/remotes.md tells what to do")
        assert not {"wr0ng-word", str(options.get("secret_access_key"))} & set(line.split())
    return lines
