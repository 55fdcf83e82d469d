"""Promote weights to the registered model of their data set, go back, and say what happened.

MLflow's alias ``champion`` says which version is served. Before it moves, the version that it moves to gets a tag,
``champion.<time>``, with who moved it, from which version and why: these tags are the history. Whoever is killed
between the two leaves the champion as it was; the next promotion or rollback starts from the alias.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from pipeline import tables
from pipeline.core import files
from pipeline.core.types import Refusal
from pipeline.gate import Champion, table
from pipeline.tracking.connect import answering, connect

ALIAS, PREVIOUS = "champion", "previous"
METRICS, GATE = "metrics.json", "gate.json"  # beside the model's own files
SCORE = "/mean_iu"  # ends the tags that hold a head's score
WEIGHTS, SCORES = "weights.md5", "metrics.sha256"  # tags by which a version is known again

Tags = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Move:
    """``champion`` went from version ``before`` ("" for none) to ``after``, at ``when``, UTC; ``gate`` is a sha256."""

    when: str
    kind: str
    before: str
    after: str
    who: str
    why: str
    gate: str = ""


@dataclass(frozen=True, kw_only=True)
class History:
    """Versions and moves, the oldest first; the champion's version now, and the one before it, "" where none is."""

    versions: Sequence[ModelVersion]
    moves: Sequence[Move]
    champion: str

    @property
    def previous(self) -> str:
        """What was champion before the present one became it."""
        return next((move.before for move in reversed(self.moves) if move.after == self.champion), "")


def history(client: MlflowClient, name: str) -> History:
    """All that the registry knows of ``name``: nothing where there is no such model."""
    with answering(client):
        models = client.search_registered_models(f"name = '{name}'")
        found = sorted(client.search_model_versions(f"name = '{name}'"), key=lambda version: int(version.version))
    aliases = models[0].aliases if models else {}
    moves = [
        Move(**json.loads(value), after=str(version.version))
        for version in found
        for key, value in version.tags.items()
        if key.startswith(f"{ALIAS}.")
    ]
    moves.sort(key=lambda move: move.when)
    return History(versions=found, moves=moves, champion=str(aliases.get(ALIAS, "")))


def champion(client: MlflowClient, name: str) -> Champion | None:
    """The champion of the registered model ``name`` and its metrics.json, from the registry alone; None: there is none.

    Raises Refusal where the registry does not answer, and where metrics.json is not what was promoted.
    """
    now = history(client, name)
    if not now.champion:
        return None
    wanted = next(version for version in now.versions if str(version.version) == now.champion).tags.get(SCORES)
    if wanted is None:
        return Champion(version=now.champion, metrics={})
    with answering(client), tempfile.TemporaryDirectory() as folder:
        uri = f"{client.get_model_version_download_uri(name, now.champion)}/{METRICS}"
        path = Path(download_artifacts(uri, dst_path=folder, tracking_uri=client.tracking_uri))
        if files.sha256(path) != wanted:
            raise Refusal(f"{METRICS} of {name} version {now.champion} is not what was promoted: fcn rollback {name}")
        return Champion(version=now.champion, metrics=json.loads(path.read_bytes()))


def promote(
    client: MlflowClient, name: str, folder: Path, *, run: Run, tags: Tags, gate: Mapping[str, Any], who: str
) -> tuple[str, Move | None]:
    """Make ``folder``, a complete MLflow model, a version of the registered model ``name`` and its champion.

    ``gate`` is gate.json's content: ``passed``, ``checks``, ``metrics`` (the candidate's metrics.json) and ``champion``
    (None or with its ``version``). It and the metrics go into ``folder``, and that among the artifacts of ``run``, the
    training's. ``tags`` are the version's, ``weights.md5`` among them; ``forced`` is the reason to pass a gate that is
    shut. A version of the same weights and metrics is taken, no second one made. A version exists only once all of it
    is uploaded: whenever this is killed, ``champion`` points at a whole one, and promoting again completes it.

    Returns the version's number, and None where it was champion already. Raises Refusal where the gate is shut, and
    where another version became champion since it judged.
    """
    if not gate["passed"] and not tags.get("forced"):
        raise Refusal(f"the gate of {name} is shut: mend what it says, or --force REASON")
    files.write_json(folder / METRICS, gate["metrics"])
    files.write_json(folder / GATE, gate)
    digest = files.sha256(folder / GATE)
    known = {WEIGHTS: tags[WEIGHTS], SCORES: files.sha256(folder / METRICS)}
    now = history(client, name)
    same = [version for version in now.versions if version.status == "READY" and known.items() <= version.tags.items()]
    with answering(client):
        number = str(same[0].version) if same else _upload(client, name, folder, run, {**tags, **known}, gate)
    judged = gate["champion"]["version"] if gate["champion"] else ""
    now = history(client, name)  # an upload takes minutes
    if now.champion == number:
        return number, None
    if now.champion != judged:
        raise Refusal(f"{name} version {now.champion} became champion while the gate judged: promote again")
    return number, _move(client, name, now, number, kind="promotion", who=who, why=tags.get("forced", ""), gate=digest)


def rollback(client: MlflowClient, name: str, *, who: str, why: str) -> Move:
    """Make the version champion that was it before the present one; once more, and it is as it was.

    Raises Refusal where there is nothing to go back to.
    """
    now = history(client, name)
    if now.previous not in {str(version.version) for version in now.versions}:
        raise Refusal(f"{name} has no version before its champion: nothing to go back to")
    return _move(client, name, now, now.previous, kind="rollback", who=who, why=why)


def _move(client: MlflowClient, name: str, now: History, after: str, **facts: str) -> Move:
    """Tag the version ``after``, then set the alias."""
    when = datetime.now(UTC)
    move = Move(when=when.isoformat(timespec="milliseconds"), before=now.champion, after=after, **facts)
    value = {key: text for key, text in asdict(move).items() if key != "after"}
    with answering(client):
        client.set_model_version_tag(name, after, f"{ALIAS}.{when:%Y%m%dT%H%M%S.%f}", json.dumps(value, sort_keys=True))
        client.set_registered_model_alias(name, ALIAS, after)
        if now.champion:
            client.set_registered_model_alias(name, PREVIOUS, now.champion)  # for people; the tags say it, too
    return move


def _upload(client: MlflowClient, name: str, folder: Path, run: Run, tags: Tags, gate: Mapping[str, Any]) -> str:
    """The number of a new version; files that a killed promotion left are written over."""
    place = f"promoted/{tags[WEIGHTS][:8]}-{tags[SCORES][:8]}"
    client.log_artifacts(run.info.run_id, str(folder), place)
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    how = f"past the gate: {tags['forced']}" if tags.get("forced") else "through the gate"
    text = f"Promoted {how}.\n\n{table(gate['checks'])}"
    source = f"{run.info.artifact_uri}/{place}"
    made = client.create_model_version(name, source, run.info.run_id, dict(tags), description=text)
    return str(made.version)


def download(root: Path, name: str, folder: Path) -> Path:
    """The weights file of NAME (the champion), NAME@ALIAS or NAME/VERSION, in ``folder``. Raises Refusal."""
    store = connect(root)[0].tracking_uri
    uri = f"models:/{name if '@' in name or '/' in name else f'{name}@{ALIAS}'}"
    try:
        local = download_artifacts(artifact_uri=uri, dst_path=str(folder), tracking_uri=store, registry_uri=store)
    except MlflowException as error:
        raise Refusal(f"{uri} is not to be had ({str(error).splitlines()[0]}): register it, or name another") from None
    found = sorted(Path(local).rglob("artifacts/*.safetensors"))
    if not found:
        raise Refusal(f"{uri} holds no weights of this pipeline: register a model that fcn saved")
    return found[0]


def page(history: History) -> str:
    """Two Markdown tables, the oldest rows first; digests and commits by their first digits."""
    versions = tables.markdown(
        ("version", "alias", "recipe", "mean IU", "forced", "commit"),
        [_version(version, history) for version in history.versions],
    )
    moves = tables.markdown(("move", "from", "to", "by", "at", "gate", "why"), [_row(move) for move in history.moves])
    return f"{versions}\n\n{moves}"


def _version(version: ModelVersion, now: History) -> tuple[str, ...]:
    tags, number = version.tags, str(version.version)
    alias = "champion" if number == now.champion else "previous" if number == now.previous else ""
    scores = [f"{name.removesuffix(SCORE)} {float(tags[name]):.3f}" for name in sorted(tags) if name.endswith(SCORE)]
    commit = tags.get("git.commit", "")[:7] + ("+" if tags.get("git.dirty") == "true" else "")
    return number, alias, tags.get("recipe", ""), ", ".join(scores), tags.get("forced", ""), commit


def _row(move: Move) -> tuple[str, ...]:
    return move.kind, move.before or "none", move.after, move.who, move.when[:19], move.gate[:8], move.why
