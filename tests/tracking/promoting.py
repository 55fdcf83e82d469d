"""Processes that promote, die and meet; run: python -m tests.tracking.promoting FOLDER RUN, prints a JSON per line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from pipeline.core.types import Refusal
from pipeline.tracking import registry
from pipeline.tracking.connect import connect
from tests.tracking import registered

# isort: split
from mlflow import MlflowClient

WRITES = (
    *("create_registered_model", "create_logged_model", "log_model_artifacts", "finalize_logged_model"),
    *("create_model_version", "set_registered_model_tag", "set_registered_model_alias", "set_model_version_tag"),
)


def dying(client: MlflowClient, at: int) -> MlflowClient:
    """``client``, whose process is killed in the place of its ``at``th request that writes."""
    requests = count(1)

    def watched(write: Callable[..., Any]) -> Callable[..., Any]:
        def instead(*args: Any, **named: Any) -> Any:
            if next(requests) == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return write(*args, **named)

        return instead

    for name in WRITES:
        setattr(client, name, watched(getattr(client, name)))
    return client


def tell(**told: Any) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def forked(work: Callable[[MlflowClient], Any]) -> int:
    """Start ``work`` in a process that has not met the database before; nothing here ever does."""
    child = os.fork()
    if child:
        return child
    try:
        work(connect(ROOT)[0])
        os._exit(0)
    except BaseException as error:
        tell(error=repr(error))
        os._exit(1)


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def look(client: MlflowClient, **told: Any) -> None:
    champion, previous = registered.aliases(client)
    made = [str(each.version) for each in registry.history(client, registered.NAME).versions]
    whole = [number for number in made[-3:] if registered.whole(client, number)]
    weights = {each: client.get_model_version(registered.NAME, each).tags["weights.md5"] for each in made[-3:]}
    moved = [move.after for move in registry.history(client, registered.NAME).moves]
    told |= {"champion": champion, "previous": previous, "whole": whole, "weights": weights, "moved": moved}
    tell(**told)


def promote(client: MlflowClient, weights: str) -> str:
    """As a person does: judge again when another version became champion meanwhile."""
    for _ in range(5):
        try:
            return registered.promote(client, RUN, weights).version
        except Refusal as refusal:
            assert "became champion while the gate judged" in str(refusal)
    raise AssertionError("refused five times")


def rise(at: int, client: MlflowClient) -> None:
    """Look at what the one killed at the request before left, complete it, and die a request later."""
    if at > 1:
        look(client, at=at - 1, after="kill")
        look(client, at=at - 1, after="again", version=promote(client, f"killed at {at - 1}"))
    promote(dying(client, at), f"killed at {at}")


def meet(gate: tuple[int, int], ready: tuple[int, int], weights: str, client: MlflowClient) -> None:
    os.write(ready[1], b".")
    os.read(gate[0], 1)
    promote(client, weights)


def main() -> None:
    at = 1
    while (code := ended(forked(partial(rise, at)))) == -signal.SIGKILL:
        at += 1
    assert code == 0
    for weights in (["a", "b"], ["c", "d", "e"], ["same", "same"]):
        gate, ready = os.pipe(), os.pipe()
        children = [forked(partial(meet, gate, ready, each)) for each in weights]
        for _ in children:
            os.read(ready[0], 1)
        os.write(gate[1], b"." * len(children))
        codes = [ended(child) for child in children]
        assert ended(forked(partial(look, after="meeting", at=weights, codes=codes))) == 0


def warm() -> None:
    """Load what MLflow loads on meeting a database, once for all children; it must not be theirs."""
    with tempfile.TemporaryDirectory() as other:
        shutil.copy(ROOT / "mlflow.db", other)
        client, _ = connect(Path(other))
        client.search_registered_models()


if __name__ == "__main__":
    ROOT, RUN = Path(sys.argv[1]), sys.argv[2]
    warm()
    main()
