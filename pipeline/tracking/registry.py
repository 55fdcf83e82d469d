"""Promote weights to the registered model of their data set, go back, and tell what happened."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.tracking.connect import connect

# connect sets what MLflow reads when it is imported, so MLflow comes after it
# isort: split
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.exceptions import MlflowException
from requests import RequestException

from pipeline.core import files
from pipeline.core.types import Refusal
from pipeline.gate import Champion, table
from pipeline.tracking import moves, version
from pipeline.tracking.moves import Aliases, Move

METRICS, GATE = "metrics.json", "gate.json"  # beside the model's own files
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", str(sys.stderr.isatty()).lower())  # 540 MB take a while


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """``made`` a version or found it; ``move`` is None where it was champion already."""

    version: str
    made: bool
    move: Move | None


@dataclass(frozen=True, kw_only=True)
class History:
    """Versions and moves, the oldest first; ``aliases`` are where champion and previous point now."""

    versions: list[ModelVersion]
    moves: list[Move]
    aliases: Aliases


@contextmanager
def answering(client: MlflowClient) -> Iterator[None]:
    """Make a Refusal of what the server or the way to it spoils: whatever was begun, the same call completes."""
    try:
        yield
    except (MlflowException, RequestException) as error:
        reason = str(error).partition("\n")[0]
        raise Refusal(
            f"MLflow at {client.tracking_uri} failed ({reason}): run it again, it goes on from there"
        ) from None


def ask(root: Path) -> tuple[MlflowClient, str]:
    """``connect``, but to a registry that is there: a database made now would say that there never was a champion."""
    if not os.environ.get("MLFLOW_TRACKING_URI") and not (root / "mlflow.db").exists():
        raise Refusal("no registry to ask: set MLFLOW_TRACKING_URI, or run `dvc repro publish`, which makes mlflow.db")
    return connect(root)


def champion(client: MlflowClient, name: str) -> Champion | None:
    """The champion of the registered model ``name`` and its metrics.json, from the registry alone; None: there is none.

    Raises Refusal where the registry does not answer, and where metrics.json is not what was promoted.
    """
    with answering(client), tempfile.TemporaryDirectory() as folder:
        model = _model(client, name)
        number = moves.aliases(model).champion if model else ""
        if not number:
            return None
        wanted = client.get_model_version(name, number).tags.get(version.SCORES)
        if wanted is None:
            return Champion(version=number, metrics={})
        uri = f"{client.get_model_version_download_uri(name, number)}/{METRICS}"
        path = Path(download_artifacts(uri, dst_path=folder, tracking_uri=client.tracking_uri))
        if files.sha256(path) != wanted:
            raise Refusal(f"{METRICS} of {name} version {number} is not what was promoted: fcn rollback {name}")
        return Champion(version=number, metrics=json.loads(path.read_bytes()))


def run(client: MlflowClient, experiment: str, stage: str, inputs: str) -> Run:
    """The newest finished run of ``stage`` with these ``dvc.inputs``. Raises Refusal where there is none."""
    wanted = f"tags.`dvc.stage` = '{stage}' and tags.`dvc.inputs` = '{inputs}' and attributes.status = 'FINISHED'"
    found = client.search_runs([experiment], wanted, max_results=1, order_by=["attributes.start_time DESC"])
    if not found:
        raise Refusal(f"MLflow has no run of {stage} as dvc.lock has it: fcn backfill makes it")
    return found[0]


def promote(
    client: MlflowClient, name: str, folder: Path, *, run_id: str, tags: Mapping[str, str], gate: Mapping[str, Any]
) -> Promotion:
    """Make ``folder``, a complete MLflow model, a version of the registered model ``name`` and its champion.

    ``gate`` is gate.json's content: ``passed``, ``checks``, ``metrics`` (the candidate's metrics.json) and ``champion``
    (None or with its ``version``). It and the metrics are written into ``folder`` and go with it. ``tags`` are the
    version's, ``weights.md5`` and ``promoted.by`` among them; ``forced`` is the reason to pass a gate that is shut.
    A version of the same weights and metrics is taken, no second one made.

    A version exists only once all of it is uploaded, and the alias moves last: whenever this is killed, ``champion``
    points at a whole version, and promoting again completes what was begun.

    Raises Refusal where the gate is shut, and where another version became champion since it judged.
    """
    if not gate["passed"] and not tags.get("forced"):
        raise Refusal(f"the gate of {name} is shut: mend what it tells, or --force REASON")
    files.write_json(folder / METRICS, gate["metrics"])
    files.write_json(folder / GATE, gate)
    digest = files.sha256(folder / GATE)
    whole = {**tags, version.SCORES: files.sha256(folder / METRICS), "gate.sha256": digest, "promoted.at": _now()}
    with answering(client):
        number, made = version.standing_or_made(client, name, folder, run_id, whole, describe(gate, tags))
    judged_against = gate["champion"]["version"] if gate["champion"] else ""

    def choose(now: Aliases) -> str:
        if now.champion not in (judged_against, number):
            raise Refusal(f"{name} version {now.champion} became champion while the gate judged: promote again")
        return number

    who, why = tags["promoted.by"], tags.get("forced", "")
    with answering(client):
        move = moves.move(client, name, choose, kind="promotion", who=who, why=why, gate=digest)
    if move and not made:
        _tag(client, name, number, {"promoted.by": who, "promoted.at": move.when, **({"forced": why} if why else {})})
    return Promotion(version=number, made=made, move=move)


def rollback(client: MlflowClient, name: str, *, who: str, why: str) -> Move:
    """Exchange ``champion`` and ``previous`` and write into both versions who did it, when and why.

    Raises Refusal where there is nothing to go back to.
    """
    history(client, name)

    def choose(now: Aliases) -> str:
        if not now.champion or now.previous in ("", now.champion):
            raise Refusal(f"{name} has no version before its champion: nothing to go back to")
        return now.previous

    with answering(client):
        move = moves.move(client, name, choose, kind="rollback", who=who, why=why)
    assert move is not None, "choose never gives the champion"
    for number, event in ((move.before, "rolled_back"), (move.after, "restored")):
        _tag(client, name, number, {f"{event}.by": who, f"{event}.at": move.when, f"{event}.why": why})
    return move


def history(client: MlflowClient, name: str) -> History:
    """Everything that the registry knows of ``name``; nothing is written. Raises Refusal where it knows nothing."""
    with answering(client):
        model = _model(client, name)
        versions = version.versions(client, name)
    if model is None:
        raise Refusal(f"the registry has no {name}: fcn promote makes it")
    return History(versions=versions, moves=moves.read(model.tags), aliases=moves.aliases(model))


def describe(gate: Mapping[str, Any], tags: Mapping[str, str]) -> str:
    """A version's description: how it was promoted, and the gate's checks as a Markdown table."""
    how = f"past the gate: {tags['forced']}" if tags.get("forced") else "through the gate"
    return f"Promoted {how}.\n\n{table(gate['checks'])}"


def _model(client: MlflowClient, name: str) -> RegisteredModel | None:
    try:
        return client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def _tag(client: MlflowClient, name: str, number: str, tags: Mapping[str, str]) -> None:
    with answering(client):
        for key, value in tags.items():
            client.set_model_version_tag(name, number, key, value)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
