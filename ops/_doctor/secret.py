"""Words that nobody may read: what DVC and the environment keep them under, and whether git knows them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ops._doctor.finding import FIX, OK, Finding, Params
from ops._git import asked

OPTIONS = (  # of DVC's remotes, all kinds
    *("access_key_id", "secret_access_key", "session_token", "sse_customer_key"),
    *("password", "passphrase", "token", "account_key", "connection_string", "sas_token", "client_secret"),
    *("oss_key_id", "oss_key_secret", "gdrive_client_secret", "custom_auth_header"),
)
VARIABLES = (
    *("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PGPASSWORD"),
    *("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"),
)
LOGIN = re.compile(r"//[^/@]*?:([^/@]+)@")  # the password of a URL
PRIVATE = (".dvc/config.local", ".env")  # never git's

Remotes = Mapping[str, Mapping[str, Any]]


def check(root: Path, params: Params) -> Iterator[Finding]:
    """Credentials in .dvc/config, which is committed; private files that git tracks."""
    bare = True
    for name, options in _committed(root).items():
        kept = [option for option in options if option in OPTIONS]
        if LOGIN.search(str(options.get("url"))):
            kept.append("url")
        for option in kept:
            bare = False
            moved = f"dvc remote modify --local {name} {option} …, then take it out of .dvc/config and renew it"
            yield Finding("secrets", FIX, f".dvc/config is committed and holds {option} of remote {name}: {moved}")
    for name in asked(root, "ls-files", "--", *PRIVATE).split():
        bare = False
        yield Finding("secrets", FIX, f"git tracks {name}: git rm --cached {name}, and renew what it holds")
    if bare:
        yield Finding("secrets", OK, "none in .dvc/config; git tracks no .dvc/config.local and no .env")


def words(root: Path) -> list[str]:
    """Every secret word that a check may meet, the longest first."""
    urls = [os.environ.get("MLFLOW_TRACKING_URI", "")]
    found = [os.environ.get(name, "") for name in VARIABLES]
    for options in remotes(root).values():
        found += [str(options[option]) for option in OPTIONS if option in options]
        urls.append(str(options.get("url")))
    found += [word for url in urls for word in LOGIN.findall(url)]
    return sorted({form for word in found for form in (word, unquote(word)) if form}, key=len, reverse=True)


def masked(text: str, secrets: Iterable[str]) -> str:
    """``text`` without any of ``secrets``."""
    for word in secrets:
        text = text.replace(word, "***")
    return text


def remotes(root: Path) -> Remotes:
    """DVC's remotes, from all of its configuration files; none where DVC is not installed or a file is unreadable."""
    try:
        from dvc.config import Config, ConfigError
    except ImportError:
        return {}
    try:
        return dict(Config(str(root / ".dvc"), validate=False).get("remote", {}))
    except ConfigError:
        return {}


def _committed(root: Path) -> Remotes:
    try:
        from dvc.config import Config, ConfigError
    except ImportError:
        return {}
    try:
        return dict(Config.load_file(str(root / ".dvc/config")).get("remote", {}))
    except (ConfigError, FileNotFoundError):
        return {}
