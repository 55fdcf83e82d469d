"""Show the runs: MLflow's server on this machine, its database brought up first: fcn ui."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from ops.run import supervise
from pipeline.core.types import Refusal
from pipeline.registry import ui as pages
from pipeline.tracking import uri as store
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True)
@click.option("--uri", help="The store; by default $MLFLOW_TRACKING_URI, or else mlflow.db here.")
@click.option("--allowed-hosts", default="", metavar="A,B", help="More names that browsers may call this server by.")
@click.option("--cors", default="", metavar="A,B", help="Origins of other servers whose pages may ask this one.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes that answer.")
def main(host: str, port: int, uri: str | None, allowed_hosts: str, cors: str, workers: int) -> None:
    """Serve MLflow's UI until SIGTERM or Ctrl-C, and print links to the views that people ask for.

    A store that is a server has a UI: its links are printed. Any other has no password here: whoever reaches HOST can
    read, change and delete runs. An SQLite file of an older MLflow is upgraded, and a copy of it kept.
    """
    uri = os.environ["MLFLOW_TRACKING_URI"] = store.chosen(Path.cwd(), uri)
    command = [sys.executable, "-m", "ops._serve"]
    if not uri.startswith(store.HTTP):
        if uri.startswith(store.SQLITE) and not Path(uri.removeprefix(store.SQLITE)).exists():
            raise Refusal(f"no {uri.removeprefix(store.SQLITE)}: `fcn run` makes it, --uri names another store")
        hosts = pages.hosts(host, port, allowed_hosts)
        url = pages.listen_at(host, port)
        if not pages.loopback(host):
            click.echo(f"{url} is open: without a password, whoever reaches it reads, changes and deletes", err=True)
        command += ["--host", host, "--port", str(port), "--hosts", ",".join(hosts), "--cors", cors]
        command += ["--workers", str(workers), "--url", url]
    raise click.exceptions.Exit(supervise(command))
