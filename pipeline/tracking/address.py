"""An address to serve at: this machine's, free, and with the names that it may be called by."""

from __future__ import annotations

import ipaddress
import socket

from pipeline.core.types import Refusal

EVERY = ("0.0.0.0", "::")  # stand for all addresses of the machine


def listen_at(host: str, port: int) -> str:
    """The URL of ``host`` and ``port``. Raises Refusal when the host is not this machine's or the port is taken."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except socket.gaierror:
        raise Refusal(f"--host {host}: no such host; 127.0.0.1 is this machine") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        remedy = f"--port {port % 65535 + 1}, or --host 127.0.0.1 if {host} is not this machine"
        raise Refusal(f"cannot listen on {host}:{port}, {reason}: try {remedy}") from None
    return f"http://{_bracketed(host)}:{port}"


def hosts(host: str, port: int, more: str) -> list[str]:
    """The Host headers to answer to: this machine's, ``host``'s and those of ``more`` (names split by commas).

    MLflow's default would take ``10.*`` and ``192.168.*``, too, which anybody's domain can begin with.

    Raises Refusal for ``*``, and for an address without a name.
    """
    added = [name.strip() for name in more.split(",") if name.strip()]
    if "*" in added:
        raise Refusal("--allowed-hosts '*' lets any web page at this server: name the hosts")
    if host in EVERY and not added:
        raise Refusal(f"--host {host} is no name: give --allowed-hosts those that browsers will call it by")
    known = ["localhost", "127.0.0.1", "[::1]", *([] if host in EVERY else [_bracketed(host)])]
    return list(dict.fromkeys(form for name in [*known, *added] for form in (name, f"{name}:{port}")))


def loopback(host: str) -> bool:
    """Whether only this machine's processes reach ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
