"""Show the runs: MLflow's server on this machine, its database brought up first: fcn ui."""

import os
import sys
import threading
import time
import urllib.request
from contextlib import suppress
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
    read, change and delete runs. An SQLite file of an older MLflow is upgraded, and a copy of it kept; one that moved
    together with its mlartifacts/ finds them again.
    """
    uri = os.environ["MLFLOW_TRACKING_URI"] = store.chosen(Path.cwd(), uri)
    command = [sys.executable, "-m", "ops.ui"]
    if not uri.startswith(store.HTTP):
        if uri.startswith(store.SQLITE) and not Path(uri.removeprefix(store.SQLITE)).exists():
            raise Refusal(f"no {uri.removeprefix(store.SQLITE)}: `fcn run` makes it, --uri names another store")
        hosts = pages.hosts(host, port, allowed_hosts)
        url = pages.listen_at(host, port)
        if not pages.loopback(host):
            click.echo(f"{url} is open: without a password, whoever reaches it reads, changes and deletes", err=True)
        command += [url, "--host", host, "--port", str(port), "--allowed-hosts", ",".join(hosts)]
        command += ["--workers", str(workers), *(["--cors-allowed-origins", cors] if cors else [])]
    raise click.exceptions.Exit(supervise(command))


@click.command(cls=Stage, context_settings={"ignore_unknown_options": True})
@click.argument("url", default="")
@click.argument("flags", nargs=-1, type=click.UNPROCESSED)
def serve(url: str, flags: tuple[str, ...]) -> None:
    """Become MLflow's server at URL, which fcn ui supervises; without one, print the links of $MLFLOW_TRACKING_URI."""
    # Jobs judge language models' answers, in processes of their own; warnings are for MLflow's makers
    os.environ |= {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PYTHONWARNINGS": "ignore"}
    from pipeline.tracking import connect

    uri = os.environ["MLFLOW_TRACKING_URI"]
    if url and (kept := connect.upgrade(uri)):
        click.echo(f"upgraded the database; as it was it lies in {kept}")
    if url and (was := store.moved_from(uri)):
        store.reroot(uri, was)
        click.echo(f"runs kept their files in {was}: they are looked for beside the database now")
    client, experiment = connect.connect(Path.cwd())
    pages.save(client, experiment)
    links = [f"  {view.link(url or uri, experiment)}  {view.name}" for view in pages.VIEWS]
    if not url:
        click.echo("\n".join([f"MLflow is at {store.masked(uri)}", *links]))
        return
    from mlflow.cli import cli as mlflow  # after what pipeline.tracking sets

    threading.Thread(target=_announce, args=(url, links), daemon=True).start()
    stores = ["--backend-store-uri", uri, "--registry-store-uri", uri, "--no-serve-artifacts"]
    stores += ["--default-artifact-root", str(store.artifacts(uri, Path.cwd()))]
    mlflow(["server", *flags, *stores, "--uvicorn-opts", "--log-level warning"])


def _announce(url: str, links: list[str]) -> None:
    """Tell of the server once it answers."""
    while True:
        with suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=1):
            break
        time.sleep(0.2)
    click.echo("\n".join([f"MLflow is at {url} (Ctrl-C ends it)", *links]))


if __name__ == "__main__":
    serve()
