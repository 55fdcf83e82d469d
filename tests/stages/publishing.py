"""Runs ``publish`` in a world, and looks at what it left."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result
from mlflow.entities import Run

from pipeline.tracking.connect import connect
from stages.publish import main
from tests.stages.world import locked


def publish() -> str:
    done = invoke()
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


def invoke() -> Result:
    done = CliRunner().invoke(main, [])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def said(new: int = 0, completed: int = 0, adopted: int = 0, unchanged: int = 0) -> str:
    return f"published {new} new runs, {completed} completed, {adopted} adopted, {unchanged} unchanged, under "


def artifact(root: Path, of: Run, path: str) -> str:
    client, _ = connect(root)
    return Path(client.download_artifacts(of.info.run_id, path, str(root))).read_text()


def marks(of: Run) -> list[str]:
    return sorted(value for name, value in of.data.tags.items() if name.startswith("pipeline."))


def live(root: Path, stage: str, status: str = "FINISHED", **changed: str) -> Run:
    """A run as live tracking leaves it when ``stage`` has ended, with ``changed`` tags."""
    client, experiment = connect(root)
    outs = {f"dvc.out.{row['path']}": row["md5"] for row in locked(root)[stage]["outs"] if row["md5"][-4:] != ".dir"}
    tags = {"dvc.stage": stage, "live.fingerprint": "f1", "git.commit": "c0ffee", "git.dirty": "false"}
    made = client.create_run(experiment, tags={**tags, **outs, **changed}, run_name=stage)
    for step in range(1, 11):
        client.log_metric(made.info.run_id, "loss", 12.5 / step, step=step)
    client.log_param(made.info.run_id, "host", "here")
    client.set_terminated(made.info.run_id, status)
    return made
