"""Real places for DVC's remotes: an SSH server and an S3 endpoint that knows its users, both on loopback."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest

from tests.tracking.servers import free_port, running

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


@dataclass(frozen=True)
class Ssh:
    """A server that lets in the holder of ``key``; ``other`` is a key that it does not know."""

    port: int
    key: Path
    other: Path


@dataclass(frozen=True)
class S3:
    endpoint: str
    access_key_id: str
    secret_access_key: str

    def login(self) -> dict[str, object]:
        """As DVC's options."""
        return {"access_key_id": self.access_key_id, "secret_access_key": self.secret_access_key}


@contextmanager
def sshd(folder: Path) -> Iterator[Ssh]:
    """Debian's, as whoever runs the test; skips where it is absent."""
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
        while not _listens(port):
            assert process.poll() is None and time.monotonic() < until, (folder / "log").read_text()
            time.sleep(0.05)
        yield Ssh(port, folder / "key", folder / "other")
    finally:
        process.terminate()
        process.wait(timeout=10)


@contextmanager
def s3(folder: Path) -> Iterator[S3]:
    """moto with its IAM turned on after four requests, which make a user and ``BUCKET``: a wrong key is refused."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    opened = {"INITIAL_NO_AUTH_ACTION_COUNT": "4"}
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    login = {"aws_access_key_id": "nobody", "aws_secret_access_key": "yet", "region_name": "us-east-1"}
    with running(command, f"{endpoint}/moto-api/data.json", opened, folder / "moto.log"):
        iam = boto3.client("iam", endpoint_url=endpoint, **login)
        iam.create_user(UserName="team")
        iam.put_user_policy(UserName="team", PolicyName="all", PolicyDocument=json.dumps(everything))
        key = iam.create_access_key(UserName="team")["AccessKey"]
        bucket = boto3.client("s3", endpoint_url=endpoint, **login)
        bucket.create_bucket(Bucket=BUCKET)
        for client in (iam, bucket):
            client.close()
        yield S3(endpoint, key["AccessKeyId"], key["SecretAccessKey"])


@contextmanager
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield int(server.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0
