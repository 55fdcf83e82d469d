"""Bring the database up, save the views and become MLflow's server: the process that fcn ui supervises."""

from __future__ import annotations

import os
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import click

# Jobs judge language models' answers, in processes of their own; warnings are for MLflow's makers
os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
os.environ["PYTHONWARNINGS"] = "ignore"

from pipeline.registry import ui
from pipeline.tracking import connect
from pipeline.tracking import uri as store
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.option("--host")
@click.option("--port")
@click.option("--hosts")
@click.option("--cors")
@click.option("--workers")
@click.option(
    "--url", help="Where it will listen; without, $MLFLOW_TRACKING_URI is a server, and its links are printed."
)
def main(host: str, port: str, hosts: str, cors: str, workers: str, url: str | None) -> None:
    """Serve $MLFLOW_TRACKING_URI."""
    uri = os.environ["MLFLOW_TRACKING_URI"]
    if url and (kept := connect.upgrade(uri)):
        click.echo(f"upgraded the database; as it was it lies in {kept}")
    client, experiment = connect.connect(Path.cwd())
    ui.save(client, experiment)
    links = [f"  {view.link(url or uri, experiment)}  {view.name}" for view in ui.VIEWS]
    if not url:
        click.echo("\n".join([f"MLflow is at {store.masked(uri)}", *links]))
        return
    from mlflow.cli import cli as mlflow  # after what pipeline.tracking sets

    threading.Thread(target=_announce, args=(url, links), daemon=True).start()
    flags = ["--host", host, "--port", port, "--allowed-hosts", hosts, "--workers", workers]
    flags += ["--cors-allowed-origins", cors] if cors else []
    flags += ["--backend-store-uri", uri, "--registry-store-uri", uri, "--no-serve-artifacts"]
    flags += ["--default-artifact-root", str(store.artifacts(uri, Path.cwd()))]
    mlflow(["server", *flags, "--uvicorn-opts", "--log-level warning"])


def _announce(url: str, links: list[str]) -> None:
    """Tell of the server once it answers."""
    while True:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=1):
                break
        except OSError:
            time.sleep(0.2)
    click.echo("\n".join([f"MLflow is at {url} (Ctrl-C ends it)", *links]))


if __name__ == "__main__":
    main()
