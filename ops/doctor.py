"""Ask what would keep the pipeline from running here: fcn doctor."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import psutil

from ops import _journal, _remotes
from pipeline.core.types import Refusal
from pipeline.lock_file import RWLOCK, holders, is_locked
from pipeline.tables import size
from pipeline.tracking import spool
from pipeline.tracking import uri as store
from stages.shared import dvc
from stages.shared.dvc import load, refuse_conflicts
from stages.shared.stage import Stage

OK, FIX, NOTE, SKIP = "ok", "fix", "note", "skip"  # well; broken; worth knowing; not set up here
Findings = Iterator[tuple[str, str]]  # a state and one line, which ends with the remedy
Params = Mapping[str, Any]  # params.yaml


def runtime(root: Path, params: Params) -> Findings:
    """Python, each package and the device, against ``runtime``."""
    from pipeline import determinism
    from pipeline.core import versions

    named = {name: wanted for name, wanted in params["runtime"].items() if name != "launch"}
    device = determinism.start(named)
    import torch

    kind = torch.cuda.get_device_name() if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
    texts = [f"{name} {wanted}" for name, wanted in named.items() if name not in versions.SETTINGS]
    yield OK, f"{', '.join(texts)}, {device.type} {kind}"
    if device.type == "cpu" and (missing := determinism.outside()):
        yield NOTE, f"{missing}: results repeat here but differ from dvc.lock's in their last bits"
    yield from _venv(root)


def _venv(root: Path) -> Findings:
    """A copied or moved checkout, whose commands still run the code of the folder that it came from."""
    venv = (root / ".venv").resolve()
    if (venv / "bin/fcn").is_file() and f"{venv}/bin/" not in (venv / "bin/fcn").read_text(encoding="utf-8")[:500]:
        yield FIX, f"{venv} was made in another folder: make setup makes it anew"


def disk(root: Path, params: Params) -> Findings:
    """Room for what stages write and is absent, twice (here and in DVC's cache), and for archives.

    What a stage writes is known from its last run here at this scale, for scale paper from a rehearsal, else dvc.lock.
    What a rehearsal wrote is written anew, with as many milestones as the recipe keeps.
    """
    fetched = [(path, row["bytes"] or 0) for path, row in _archives(root, params)]
    need: float = 4 * sum(size for path, size in fetched if not path.exists() or path.stat().st_size < size)
    locked = load(root / "dvc.lock")["stages"] if (root / "dvc.lock").is_file() else {}
    scale = params.get("scale")
    scales = {scale, "rehearsal"} if scale == "paper" else {scale}
    ran = {line.stage: line for line in _journal.read(root) if line.scale in scales and line.disk}
    for name, stage in dvc.stages(root).items() if ran or locked else ():
        if name not in ran:
            outs = locked.get(name, {}).get("outs", ())
            need += 2 * sum(out.get("size", 0) for out in outs if not (root / out["path"]).exists())
        elif ran[name].scale != scale:
            need += 2 * ran[name].disk * _milestones(params, name)
        elif not all((root / out).exists() for out in stage.outs):
            need += 2 * ran[name].disk
    free = shutil.disk_usage(root).free
    text = f"{size(free)} free; the pipeline writes about {size(need)} more"
    if scale == "paper" and not ran:
        text += " beside nets, of which a rehearsal tells (docs/paper.md)"
    yield (FIX, f"{text}: free some") if free < need + 2e9 else (OK, text)  # for snapshots, logs, MLflow's files, too


def _milestones(params: Params, stage: str) -> float:
    """How many times a rehearsal's weights, the last and two milestones, a training of this scale writes."""
    verb, _, key = stage.partition("@")
    solver = params["recipes"][key]["solver"] if verb == "train" else {}
    every = solver.get("milestones", 0)
    return (1 - (-solver["iterations"] // every)) / 3 if every else 1


def archives(root: Path, params: Params) -> Findings:
    """The files that params.yaml has fetched: here or in $FCN_MIRROR, and of the right size."""
    mirror, rows, absent = os.environ.get("FCN_MIRROR"), _archives(root, params), []
    for path, row in rows:
        here = next((each for each in (path, Path(mirror or path.parent, path.name)) if each.is_file()), None)
        absent += [] if here else [row]
        if here and len(row["sha256"]) < 2 and row["bytes"] not in (None, length := here.stat().st_size):
            yield FIX, f"{here} has {length} bytes, not {row['bytes']}: replace it, or remove it and run dvc repro"
    total = f"{size(sum(row['bytes'] or 0 for row in absent))}: {', '.join(row['name'] for row in absent)}"
    if absent and os.environ.get("FCN_OFFLINE", "0") not in ("", "0"):
        yield FIX, f"FCN_OFFLINE is set and {len(absent)} are absent, {total}: put them into FCN_MIRROR"
    elif absent:
        yield NOTE, f"{len(absent)} of {len(rows)} are still to fetch, {total}"
    else:
        yield (OK, f"all {len(rows)} are here") if rows else (SKIP, f"scale {params.get('scale')} renders its own")


def locks(root: Path, params: Params) -> Findings:
    """What a kill -9 or a power cut leaves: dead processes in DVC's rwlock, events that nobody sends."""
    if dead := [pid for pid in holders(root / RWLOCK) if not psutil.pid_exists(pid)]:
        yield NOTE, f"{RWLOCK} names process {dead[0]}, which is dead: DVC takes it out, or rm {RWLOCK}"
    place = spool.place()
    unsent = [each for each in spool.spools(place) if not spool.alive(each) and not (each / "sent.json").exists()]
    if unsent and not is_locked(place / spool.FOLLOWER):
        yield NOTE, f"{place} holds events of {len(unsent)} runs whose stage is gone: fcn sync"
    if not dead and not unsent:
        yield OK, "none is stale"


def secrets(root: Path, params: Params) -> Findings:
    """Credentials in .dvc/config, which is committed."""
    from dvc.config import Config

    rows = Config.load_file(str(root / ".dvc/config")).get("remote", {}).items()
    options = [(name, *option) for name, row in rows for option in row.items()]
    held = [each for each in options if _remotes.SECRET.search(each[1]) or _remotes.LOGIN.search(str(each[2]))]
    for name, option, _ in held:
        remedy = f"dvc remote modify --local {name} {option} …, then take it out and renew it"
        yield FIX, f".dvc/config is committed and holds {option} of remote {name}: {remedy}"
    if not held:
        yield OK, "none in .dvc/config"


def remote(root: Path, params: Params) -> Findings:
    """Each of DVC's remotes: a small object is written, read and deleted."""
    from dvc.config import Config

    config = Config(str(root / ".dvc"))
    for name, answer in _remotes.ask(config).items():
        place = f"{name} ({config['remote'][name]['url']})"
        if isinstance(answer, Exception):
            yield FIX, f"{place}: {str(answer) or type(answer).__name__}: docs/remotes.md tells what to do"
        else:
            yield (NOTE if answer else OK), f"{place}: {answer or 'written, read, deleted'}"
    if not config["remote"]:
        yield SKIP, "none is set up, so results stay on this machine: docs/remotes.md"


def mlflow(root: Path, params: Params) -> Findings:
    """The store that stages log to; an absent mlflow.db is not made."""
    uri = store.chosen(root)
    if os.environ.get("FCN_TRACKING") == "off":
        yield SKIP, "FCN_TRACKING is off: stages tell nothing"
        return
    if uri.startswith(store.SQLITE) and not Path(uri.removeprefix(store.SQLITE)).exists():
        yield NOTE, f"no {Path(uri).name} yet: the first run makes it"
    else:
        from pipeline.tracking.connect import connect

        answer = _remotes.with_timeout({"": lambda: connect(root)})[""]
        if isinstance(answer, TimeoutError):
            answer = Refusal(f"MLflow at {store.masked(uri)}: {answer}: start it, or unset MLFLOW_TRACKING_URI")
        yield (FIX, str(answer)) if isinstance(answer, Exception) else (OK, f"{store.masked(uri)} answers")
        if was := store.moved_from(uri):
            yield FIX, f"{Path(uri).name} says that runs keep their files in {was}, where it came from: fcn ui mends it"
    if (aside := spool.place() / spool.ASIDE).is_file():
        yield NOTE, f"{len(aside.read_text().splitlines())} events that MLflow does not take lie in {aside}"


def _archives(root: Path, params: Params) -> list[tuple[Path, Mapping[str, Any]]]:
    """Where each file to fetch belongs, and its row."""
    rows = (params.get("downloads") or {}).values()
    return [(root / row["folder"] / file["name"], file) for row in rows for file in row["files"]]


CHECKS: dict[str, Callable[[Path, Params], Findings]] = {
    check.__name__: check for check in (runtime, disk, archives, locks, secrets, remote, mlflow)
}


@click.command(cls=Stage)
@click.argument("checks", nargs=-1, type=click.Choice([*CHECKS]), metavar="[CHECKS…]")
def main(checks: tuple[str, ...]) -> None:
    """Look at this machine, the remotes and MLflow; exit 1 where anything is to be fixed.

    CHECKS are runtime (Python, packages, device), disk, archives, locks, secrets, remote and mlflow; all by default.
    Each line is ok; fix, with a remedy; note; or skip, of what is not set up.
    """
    root, states = Path.cwd(), set()
    refuse_conflicts(root)
    params: Params = load(root / "params.yaml")
    for name in (name for name in CHECKS if not checks or name in checks):
        try:
            found = [*CHECKS[name](root, params)]
        except ModuleNotFoundError as error:
            found = [(SKIP, f"{error.name} is not installed here")]
        except Exception as error:  # one that breaks hides no other
            broken = "" if isinstance(error, Refusal) else f"this check failed itself: {type(error).__name__}: "
            found = [(FIX, f"{broken}{error}")]
        for state, text in found:
            states.add(state)
            click.echo(_remotes.masked(f"{state:<4}  {name:<8}  {' '.join(text.split())}", root))
    if FIX in states:
        raise click.exceptions.Exit(1)
