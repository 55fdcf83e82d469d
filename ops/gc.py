"""Remove what nobody needs, by dvc gc and mlflow gc after a guard: fcn gc [--yes]."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import psutil

from pipeline.core.types import Refusal
from pipeline.lock_file import RWLOCK, holders
from pipeline.tables import size
from pipeline.tracking import spool
from pipeline.tracking.git import git
from stages.shared import dvc
from stages.shared.stage import Stage

DVC = [sys.executable, "-W", "ignore", "-m", "dvc"]
MD5 = ["git", "grep", "-hoE", "-e", "md5: [0-9a-f]{32}([.]dir)?"]


@click.command(cls=Stage)
@click.option("--yes/--dry-run", "-f/--dry", help="Remove; by default only list what would go.")
def main(yes: bool) -> None:
    """List what nobody needs, with its bytes; with --yes remove it.

    Of DVC's cache: what no dvc.lock of the work tree, a branch, a tag or an experiment names. Of MLflow: deleted runs,
    but for those that a registered version or a dvc.lock came from. Snapshots and spools of stages that are as
    dvc.lock has them, unless a process writes them.
    """
    root = Path.cwd()
    if not (root / ".dvc").is_dir():
        raise Refusal(f"{root} is no DVC repository: run fcn gc in the root of a clone")
    dvc.refuse_conflicts(root)
    revisions = git(root, "rev-list", "--no-walk", "--all").split()  # DVC's experiments among them
    found = [_run(root, [*MD5, *where, "--", "*dvc.lock", "*.dvc"], 1) for where in (["--untracked"], revisions)]
    named = set("".join(found).replace("md5: ", "").split())
    for clean in (cache, runs, scratch):
        try:
            with warnings.catch_warnings(action="ignore"):  # MLflow's, of SQLAlchemy
                clean(root, named, yes)
        except Refusal as refusal:
            click.echo(f"{clean.__name__} left alone: {refusal}", err=True)
    if not yes:
        click.echo("nothing was removed: fcn gc --yes does")


def cache(root: Path, named: set[str], yes: bool) -> None:
    """`dvc gc`, with a project beside it that needs all of ``named``: also what stages of another scale wrote."""
    rwlocks = [root / RWLOCK, *root.glob(f".dvc/tmp/exps/*/{RWLOCK}")]  # those of `dvc exp run --temp`, too
    if alive := [pid for path in rwlocks for pid in holders(path) if psutil.pid_exists(pid)]:
        raise Refusal(f"stages run (process {alive[0]})")
    objects = Path(_run(root, [*DVC, "cache", "dir"]).strip())
    if not objects.is_relative_to(root):
        raise Refusal(f"{objects} lies outside of this clone, others may use it")
    with tempfile.TemporaryDirectory() as beside:
        (Path(beside) / ".dvc").mkdir()
        (Path(beside) / ".dvc/config").write_text(f"[core]\n    no_scm = true\n[cache]\n    dir = {objects}\n")
        outs = [{"path": md5, "md5": md5, "hash": "md5"} for md5 in named]
        (Path(beside) / "named.dvc").write_text(json.dumps({"outs": outs}))
        command = [*DVC, "gc", "--workspace", "--projects", beside]
        paths = re.findall(r"^Removing (.*)$", _run(root, [*command, "--dry"]), re.MULTILINE)
        click.echo(f"cache: {len(paths)} objects, {_bytes(map(Path, paths))}")
        if yes:
            _run(root, [*command, "--force"])


def runs(root: Path, named: set[str], yes: bool) -> None:
    """`mlflow gc` of deleted runs."""
    if not os.environ.get("MLFLOW_TRACKING_URI") and not (root / "mlflow.db").exists():
        return
    from mlflow.entities import ViewType

    from pipeline.tracking.connect import answering, connect_existing
    from pipeline.tracking.runs import kept

    client, _ = connect_existing(root)
    if client.tracking_uri.startswith("http"):
        raise Refusal("a server's trash is emptied beside its database, by mlflow gc")
    with answering(client):
        experiments, versions = client.search_experiments(view_type=ViewType.ALL), client.search_model_versions()
        if thrown := [each.name for each in experiments if each.lifecycle_stage == "deleted"]:
            raise Refusal(f"mlflow gc would take all of experiment {thrown[0]}, which is deleted: restore it first")
        ids = [each.experiment_id for each in experiments]
        found = client.search_runs(ids, run_view_type=ViewType.ALL, max_results=50_000)
        entries = dvc.entries(root).values() if (root / "dvc.lock").exists() else ()
        needed = kept(found, versions, named, dvc.pipeline(entries)[:8])
        gone = [run for run in found if run.info.lifecycle_stage == "deleted" and run.info.run_id not in needed]
        files = (file for run in gone for file in Path(unquote(urlsplit(run.info.artifact_uri).path)).rglob("*"))
        click.echo(f"MLflow: {len(gone)} deleted runs, {_bytes(files)}")
        if yes and gone:  # without ids it takes all
            store = client.tracking_uri
            command = [sys.executable, "-m", "mlflow", "gc", "--backend-store-uri", store, "--tracking-uri", store]
            _run(root, [*command, "--run-ids", ",".join(run.info.run_id for run in gone)])


def scratch(root: Path, named: set[str], yes: bool) -> None:
    """Snapshots and spools of stages that are as dvc.lock has them: no rerun goes on from there."""
    places = (root / os.environ.get("FCN_SNAPSHOTS", ".snapshots"), spool.place())
    folders = [path for place in places for path in sorted(place.glob("*/*")) if path.is_dir()]
    known = {path.parent.name for path in folders} & set(dvc.entries(root)) if folders else set()
    changed = json.loads(_run(root, [*DVC, "status", "--json", *sorted(known)])) if known else {}
    for path in folders:
        if path.parent.name in known - set(changed) and not spool.alive(spool.place().joinpath(*path.parts[-2:])):
            click.echo(f"{path}: {_bytes(path.rglob('*'))}")
            if yes:
                shutil.rmtree(path)


def _bytes(paths: Iterable[Path]) -> str:
    return size(sum(path.stat().st_size for path in paths if path.is_file()))


def _run(root: Path, command: list[str], fine: int = 0) -> str:
    """What ``command`` prints; Refusal with its error where it exits with more than ``fine``."""
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode > fine:
        raise Refusal(f"{' '.join(command[-4:])[:40]}: {' '.join(done.stderr.split())}")
    return done.stdout
