"""Remove what nobody needs, by dvc gc and mlflow gc after a guard: fcn gc [--yes]."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import click
import psutil

from ops._amount import size
from ops._git import asked, git
from ops._locks import RWLOCK, holders
from pipeline.tracking import record, spool
from pipeline.types import Refusal
from stages import _lock
from stages._stage import Stage

REFS = ("refs/heads", "refs/tags", "refs/exps", "refs/stash")  # the third are DVC's experiments
HASH = re.compile(r"\bmd5: ([0-9a-f]{32}(?:\.dir)?)")
UPSTREAM = "upstream."  # a run's tag: the stage whose outputs it read, and as its value that stage's dvc.inputs


@click.command(cls=Stage)
@click.option("--yes/--dry-run", "-f/--dry", help="Remove; by default only list what would go.")
def main(yes: bool) -> None:
    """List what nobody needs, with its bytes; with --yes remove it.

    Of DVC's cache: what no dvc.lock or .dvc file of the work tree, a branch, a tag or an experiment names. Of MLflow:
    the trash, but for what a registered version or such a dvc.lock came from. Snapshots and spools of stages that are
    as dvc.lock has them, unless a process writes them.
    """
    root = Path.cwd()
    if not (root / ".dvc").is_dir():
        raise Refusal(f"{root} is no DVC repository: run fcn gc in the root of a clone")
    for name, clean in (("DVC's cache", cache), ("MLflow", trash), (".snapshots and .spool", scratch)):
        try:
            clean(root, yes)
        except Refusal as refusal:
            click.echo(f"{name}: left alone, {refusal}", err=True)
    if not yes:
        click.echo("nothing was removed: fcn gc --yes removes these")


def cache(root: Path, yes: bool) -> None:
    """`dvc gc`, with a project beside it that needs whatever a dvc.lock names, also of stages that dvc.yaml lost."""
    rwlocks = [root / RWLOCK, *root.glob(f".dvc/tmp/exps/*/{RWLOCK}")]  # those of `dvc exp run --temp`, too
    if alive := [pid for path in rwlocks for pid in holders(path) if psutil.pid_exists(pid)]:
        raise Refusal(f"stages run (process {alive[0]})")
    objects = Path(_dvc(root, "cache", "dir").strip())
    if not objects.is_relative_to(root):
        raise Refusal(f"{objects} lies outside of this clone, and others may use it")
    named = {md5 for text in _texts(root) for md5 in HASH.findall(text)}
    here = [md5 for md5 in named if (objects / "files/md5" / md5[:2] / md5[2:]).exists()]
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / ".dvc").mkdir()
        (Path(name) / ".dvc/config").write_text(f"[core]\n    no_scm = true\n[cache]\n    dir = {objects}\n")
        outs = [{"path": md5, "md5": md5, "hash": "md5"} for md5 in here]
        (Path(name) / "named.dvc").write_text(json.dumps({"outs": outs} if outs else {}))
        command = ["gc", "--workspace", "--projects", name]
        paths = re.findall(r"^Removing (.*)$", _dvc(root, *command, "--dry"), re.MULTILINE)
        click.echo(f"cache: {len(paths)} objects, {_bytes(map(Path, paths))}")
        if yes and paths:
            _dvc(root, *command, "--force")


def trash(root: Path, yes: bool) -> None:
    """`mlflow gc` of the deleted runs that neither a registered version nor a dvc.lock came from."""
    if not os.environ.get("MLFLOW_TRACKING_URI") and not (root / "mlflow.db").exists():
        return
    from pipeline.tracking.registry import answering, ask

    client, _ = ask(root)
    if client.tracking_uri.startswith("http"):
        raise Refusal("a server's trash is emptied beside its database, by mlflow gc")
    import mlflow
    from mlflow.cli import cli
    from mlflow.entities import ViewType

    mlflow.set_tracking_uri(client.tracking_uri)
    with answering(client):
        experiments = {each.experiment_id: each for each in mlflow.search_experiments(view_type=ViewType.ALL)}
        runs = mlflow.search_runs([*experiments], run_view_type=ViewType.ALL, output_format="list")
        kept = _kept(runs, mlflow.search_model_versions(), list(_entries(root)))
        deleted = [run for run in runs if run.info.lifecycle_stage == "deleted"]
        gone = [run for run in deleted if run.info.run_id not in kept]
        for run in gone:
            folder = Path(unquote(urlsplit(run.info.artifact_uri).path))
            click.echo(f"run: {run.info.run_name} {run.info.run_id}, {_bytes(folder.rglob('*'))}")
        emptied = {run.info.experiment_id for run in deleted if run not in gone}
        if lost := [
            each.name for key, each in experiments.items() if key in emptied and each.lifecycle_stage == "deleted"
        ]:
            raise Refusal(f"experiment {lost[0]} is in the trash with runs that are needed: restore it")
        if yes and gone:  # without ids it would take all runs
            ids = ",".join(run.info.run_id for run in gone)
            cli(["gc", "--backend-store-uri", client.tracking_uri, "--run-ids", ids], standalone_mode=False)


def scratch(root: Path, yes: bool) -> None:
    """Snapshots and spools of stages that are as dvc.lock has them: no rerun goes on from there."""
    places = [root / os.environ.get("FCN_SNAPSHOTS", ".snapshots"), spool.place()]
    folders = [path for place in places for path in sorted(place.glob("*/*")) if path.is_dir()]
    known = {path.parent.name for path in folders} & set(_lock.entries(root)) if folders else set()
    changed = json.loads(_dvc(root, "status", "--json", *sorted(known))) if known else {}
    for folder in folders:
        if folder.parent.name in known - set(changed) and not spool.alive(spool.place().joinpath(*folder.parts[-2:])):
            click.echo(f"{folder.relative_to(root)}: {_bytes(folder.rglob('*'))}")
            if yes:
                shutil.rmtree(folder)


def _kept(runs: Sequence[Any], versions: Sequence[Any], pipelines: Sequence[Sequence[_lock.Entry]]) -> set[str]:
    """The ids of ``runs`` that ``versions`` and ``pipelines`` came from, over all their upstream."""
    ids, marks = {each.run_id for each in versions}, {f"pipeline.{_lock.pipeline(each)[:8]}" for each in pipelines}
    wanted = {(record.key(entry.stage), entry.inputs) for each in pipelines for entry in each}
    wanted |= {(record.key(each.tags.get("dvc.stage", "")), each.tags.get("dvc.inputs", "")) for each in versions}
    kept: set[str] = set()
    while True:
        found = [
            run
            for run in runs
            if run.info.run_id not in kept
            and (
                run.info.run_id in ids
                or marks & set(run.data.tags)
                or (record.key(run.data.tags.get("dvc.stage", "")), run.data.tags.get("dvc.inputs", "?")) in wanted
            )
        ]
        if not found:
            return kept
        kept |= {run.info.run_id for run in found}
        tags = [tag for run in found for tag in run.data.tags.items() if tag[0].startswith(UPSTREAM)]
        wanted |= {(stage.removeprefix(UPSTREAM), inputs) for stage, inputs in tags}


def _revisions(root: Path) -> list[str]:
    head = asked(root, "rev-parse", "--verify", "-q", "HEAD")
    return list(dict.fromkeys([*head.split(), *git(root, "for-each-ref", "--format=%(objectname)", *REFS).split()]))


def _texts(root: Path) -> Iterator[str]:
    """All that DVC wrote of outputs: dvc.lock and .dvc files, here and in every revision."""
    yield from (path.read_text(encoding="utf-8") for path in [root / "dvc.lock", *root.glob("*.dvc")] if path.is_file())
    for revision in _revisions(root):
        for path in git(root, "ls-tree", "-r", "--name-only", revision).splitlines():
            if path.endswith((".dvc", "dvc.lock")):
                yield git(root, "cat-file", "blob", f"{revision}:{path}")


def _entries(root: Path) -> Iterator[list[_lock.Entry]]:
    """The entries of the dvc.lock here and in every revision that has one."""
    names = ("dvc.yaml", "params.yaml", "dvc.lock")
    seen = {tuple((root / name).read_text(encoding="utf-8") if (root / name).exists() else "" for name in names)}
    seen |= {tuple(asked(root, "cat-file", "blob", f"{each}:{name}") for name in names) for each in _revisions(root)}
    for texts in seen:
        with tempfile.TemporaryDirectory() as folder:
            for name, text in zip(names, texts, strict=True):
                (Path(folder) / name).write_text(text, encoding="utf-8")
            if all(texts):
                yield list(_lock.entries(Path(folder)).values())


def _bytes(paths: Iterator[Path]) -> str:
    return size(sum(path.stat().st_size for path in paths if path.is_file()))


def _dvc(root: Path, *arguments: str) -> str:
    command = [sys.executable, "-W", "ignore", "-m", "dvc", *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refusal(f"dvc {arguments[0]}: {next(iter(done.stderr.splitlines()), 'failed')}")
    return done.stdout
