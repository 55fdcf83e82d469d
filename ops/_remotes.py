"""Whether DVC's remotes take, give back and delete a small object, and which words of theirs nobody may read."""

import importlib
import io
import logging
import os
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

TIMEOUT = 8.0  # seconds for a network to answer; DVC's clients alone wait up to half an hour
NO_ANSWER = f"no answer in {TIMEOUT:.0f} s"
SECRET = re.compile(r"secret|password|passphrase|token|key_id$|_key$|connection_string|auth_header", re.IGNORECASE)
LOGIN = re.compile(r"//[^/@\s]*?:([^/@\s]+)@")  # the password of a URL


def ask(config: Mapping[str, Any]) -> dict[str, Any]:
    """By remote of DVC's ``config``: None, a note (str), or the error that its client raised."""
    os.environ["AWS_MAX_ATTEMPTS"] = "1"  # botocore asks a dead endpoint five times
    logging.disable(logging.CRITICAL)  # clients log the errors that are told here
    for kind in {row["url"].partition("://")[0] for row in config["remote"].values()} & {"s3", "ssh"}:
        with suppress(ImportError):
            importlib.import_module(f"{kind}fs")  # a second, before the clock starts
    return with_timeout({name: partial(_round_trip, config, name) for name in config["remote"]})


def with_timeout(questions: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """What each of ``questions`` returns or raises, asked at once; TimeoutError for one that hangs on in its thread."""
    found: dict[str, Any] = {}

    def ask(name: str) -> None:
        try:
            found[name] = questions[name]()
        except Exception as error:  # each client has its own; a TimeoutError often says nothing
            found[name] = TimeoutError(NO_ANSWER) if isinstance(error, TimeoutError) else error

    threads = [threading.Thread(target=ask, args=(name,), daemon=True) for name in questions]
    for thread in threads:
        thread.start()
    until = time.monotonic() + TIMEOUT
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return {name: found.get(name, TimeoutError(NO_ANSWER)) for name in questions}


def _round_trip(config: Any, name: str) -> str | None:
    """With the client that `dvc push` uses. No folder is made: below an absent mount it would fill another disk."""
    from dvc.fs import get_cloud_fs

    kind, options, folder = get_cloud_fs(config, name=name)
    if kind.protocol.startswith("http"):
        return "not asked: DVC only pulls from a web server"
    files = kind(**({"timeout": TIMEOUT / 2} if kind.protocol == "ssh" else {}) | options)
    if kind.protocol in ("local", "ssh") and not files.isdir(folder):
        raise FileNotFoundError(f"no folder {folder}: mount it, or make it with mkdir -p")
    path = files.join(folder, f".fcn-doctor-{uuid.uuid4().hex}")
    files.upload_fobj(io.BytesIO(b"written by fcn doctor"), path, size=21)
    files.cat_file(path)
    try:
        files.rm_file(path)
    except Exception as error:
        return f"written and read, but not deleted ({error}), which only `dvc gc --cloud` needs"
    return None


def masked(text: str, root: Path) -> str:
    """``text`` without the secret words of DVC's remotes and of the environment, and without passwords in URLs."""
    named = [*os.environ.items()]
    with suppress(Exception):  # no DVC here, or a configuration that it cannot read: ``remote`` tells
        from dvc.config import Config

        for options in Config(str(root / ".dvc"), validate=False).get("remote", {}).values():
            named += options.items()
    for word in sorted({str(value) for name, value in named if SECRET.search(name)}, key=len, reverse=True):
        text = text.replace(word, "***") if len(word) > 5 else text  # true and false are no secrets
    return LOGIN.sub(lambda login: login[0].replace(login[1], "***"), text)
