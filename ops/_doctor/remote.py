"""DVC's remotes: a small object is written to each, read back and deleted, by the client that `dvc push` uses."""

from __future__ import annotations

import importlib.util
import io
import logging
import os
import re
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ops._doctor import apart, remedy, secret
from ops._doctor.finding import FIX, NOTE, OK, SKIP, Finding, Params

PATIENCE = 4  # seconds for one answer; clients alone wait up to half an hour
LIMITS = {"s3": {"connect_timeout": PATIENCE, "read_timeout": PATIENCE}, "ssh": {"timeout": PATIENCE}}
WEB = ("http://", "https://")


def check(root: Path, params: Params) -> Iterator[Finding]:
    """A line for each remote, and one where `dvc push` would not know which."""
    if importlib.util.find_spec("dvc") is None:
        yield Finding("remote", SKIP, "DVC is not installed here")
    elif not (root / ".dvc").is_dir():
        yield Finding("remote", FIX, f"{root} is no DVC repository: run fcn doctor in a clone, or `dvc init`")
    else:
        yield from apart.ask("ops._doctor.remote", "remote", root)


def main() -> None:
    """In a process of its own: a thread for each remote."""
    os.environ["AWS_MAX_ATTEMPTS"] = "1"  # botocore asks a dead endpoint five times
    from dvc.config import Config, ConfigError

    try:
        config = Config(".dvc")
    except ConfigError as error:
        apart.begin(["config"])
        apart.tell("config", FIX, f"{_line(error)}: correct .dvc/config or .dvc/config.local")
        return
    remotes, default = config["remote"], config["core"].get("remote")
    _import(remotes)
    logging.disable(logging.CRITICAL)  # clients tell of errors that are told here
    secrets = secret.words(Path.cwd())
    told = {name: secret.masked(f"{name} ({url})", secrets) for name, url in _urls(remotes)}
    apart.begin([*told.values(), *([] if default else [""])])
    asked = [
        threading.Thread(target=_look, args=(config, name, url, told[name]), daemon=True)
        for name, url in _urls(remotes)
    ]
    for each in asked:
        each.start()
    if not remotes:
        apart.tell("", SKIP, "none is set up, so results stay on this machine: docs/remotes.md")
    elif not default:
        apart.tell("", NOTE, f"none is the default, so `dvc push` wants -r: dvc remote default {next(iter(remotes))}")
    for each in asked:
        each.join()


def _urls(remotes: secret.Remotes) -> list[tuple[str, str]]:
    return [(name, str(options["url"])) for name, options in remotes.items()]


def _import(remotes: secret.Remotes) -> None:
    """What takes a second, before the clock starts; what is absent is told later."""
    clients = {"s3": "s3fs", "ssh": "dvc_ssh.spec"}
    for scheme in {url.partition("://")[0] for _, url in _urls(remotes)} & set(clients):
        try:
            importlib.import_module(clients[scheme])
        except ImportError:
            continue


def _look(config: Any, name: str, url: str, subject: str) -> None:
    try:
        state, text = _web(name, url) if url.startswith(WEB) else _round(config, name, url)
    except Exception as error:  # each client has its own
        state, text = FIX, f"{_line(error)}: {remedy.of(error, name, url)}"
    apart.tell(subject, state, f"{subject}: {text}")


def _round(config: Any, name: str, url: str) -> tuple[str, str]:
    """Write, read, delete; a folder that is absent is told, for a share that is not mounted would be filled here."""
    from dvc.fs import get_cloud_fs

    kind, options, folder = get_cloud_fs(config, name=name)
    files = kind(**LIMITS.get(kind.protocol, {}) | options)
    if kind.protocol in ("local", "ssh") and not files.isdir(folder):
        return FIX, f"no folder {folder}: mount it, or make it with mkdir -p"
    path, sent = files.join(folder, f".fcn-doctor-{uuid.uuid4().hex}"), uuid.uuid4().bytes
    files.upload_fobj(io.BytesIO(sent), path, size=len(sent))
    try:
        came = files.cat_file(path)
    finally:
        files.rm_file(path)
    return (OK, "written, read, deleted") if came == sent else (FIX, f"{path} came back other than it was written")


def _web(name: str, url: str) -> tuple[str, str]:
    """Whether an S3 store stands behind a plain web address."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            headers = answer.headers
    except urllib.error.HTTPError as error:
        headers = error.headers
    if any(key.lower().startswith("x-amz") for key in headers) or headers.get("Server") == "MinIO":
        return FIX, f"is an S3 store, which DVC does not speak to at such a URL: {remedy.s3(name, url)}"
    return NOTE, "a web server answers; it is pulled from, and not written to here"


def _line(error: BaseException) -> str:
    """What ``error``, or else what caused it, says, in one line."""
    if isinstance(error, EOFError):  # of a prompt that has no terminal
        return "the login is refused, and the client asks for a password"
    if isinstance(error, TimeoutError):
        return f"no answer in {PATIENCE} s"
    cause = error
    while not isinstance(cause, OSError) and (deeper := cause.__cause__ or cause.__context__):
        cause = deeper  # botocore's own word is but "could not connect"
    text = " ".join(str(cause if isinstance(cause, OSError) else error).split())
    return re.sub(r"/\.fcn-doctor-\w+", "", text).rstrip(".") or type(error).__name__


if __name__ == "__main__":
    main()
