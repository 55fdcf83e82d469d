"""The journal of a registered model's champion: who moved the alias from which version to which, when and why.

A move is one tag of the registered model, written before the aliases ``champion`` and ``previous`` follow, for a server
knows no transaction over both and no lock. Whoever comes next carries out what a killed process left; those who come
at once agree on the order of their moves by a number and a random token, and each looks again after it wrote.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from mlflow import MlflowClient

CHAMPION, PREVIOUS = "champion", "previous"
PATIENCE = 1.0  # seconds, in which a process that overwrote a newer alias writes it again
TAG = re.compile(r"fcn\.move\.(\d+)\.([0-9a-f]+)")


@dataclass(frozen=True, kw_only=True)
class Aliases:
    """The versions that they point at; empty where an alias is not set."""

    champion: str = ""
    previous: str = ""


@dataclass(frozen=True, kw_only=True)
class Move:
    """``champion`` went from version ``before`` ("" if there was none) to ``after``.

    ``number`` and ``token`` order moves, ``seen`` is the tag of the last one that this one saw. ``when`` is UTC,
    ``gate`` the sha256 of the gate.json that a promotion passed or was forced past. A move is ``done`` once the aliases
    followed.
    """

    number: int
    token: str
    seen: str
    kind: str
    before: str
    after: str
    who: str
    when: str
    why: str = ""
    gate: str = ""
    done: bool = False

    @property
    def tag(self) -> str:
        return f"fcn.move.{self.number:06d}.{self.token}"


def read(tags: Mapping[str, str]) -> list[Move]:
    """The journal in a registered model's tags, in order."""
    found = [Move(**json.loads(text)) for name, text in tags.items() if TAG.fullmatch(name)]
    return sorted(found, key=lambda move: (move.number, move.token))


def replay(moves: Sequence[Move]) -> Aliases:
    """Where the aliases belong after ``moves``.

    ``previous`` is what was champion before; a move that came at once with another did not see it, and follows it
    nevertheless.
    """
    now, last = Aliases(), ""
    for move in moves:
        before = move.before if move.seen == last else now.champion
        if move.after != before:
            now = Aliases(champion=move.after, previous=before or now.previous)
        last = move.tag
    return now


def move(
    client: MlflowClient, name: str, choose: Callable[[Aliases], str], *, kind: str, who: str, why: str, gate: str = ""
) -> Move | None:
    """Move ``champion`` of the registered model ``name`` to the version that ``choose`` names on seeing the aliases.

    None, and nothing is written, where the champion is that version already. ``choose`` may refuse.
    """
    now, moves = settle(client, name)
    after = choose(now)
    if after == now.champion:
        return None
    made = Move(
        number=moves[-1].number + 1 if moves else 1,
        token=secrets.token_hex(4),
        seen=moves[-1].tag if moves else "",
        kind=kind,
        before=now.champion,
        after=after,
        who=who,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        why=why,
        gate=gate,
    )
    _write(client, name, made)
    settle(client, name)
    return replace(made, done=True)


def settle(client: MlflowClient, name: str) -> tuple[Aliases, list[Move]]:
    """Let the aliases follow every move that is not done; then tell them and the journal.

    Where all is done, aliases that stand elsewhere on a second look were moved by hand, and stay.
    """
    written: list[str] = []
    patient = True
    while True:
        model = client.get_registered_model(name)
        moves = read(model.tags)
        now, wanted, tags = aliases(model), replay(moves), [move.tag for move in moves]
        left = [move for move in moves if not move.done]
        if not left and not written and moves and now != wanted and patient:
            patient = False  # perhaps somebody is about to put them right
            time.sleep(PATIENCE)
        elif written == tags or not (written or left):
            break
        else:
            client.set_registered_model_alias(name, CHAMPION, wanted.champion)
            if wanted.previous:
                client.set_registered_model_alias(name, PREVIOUS, wanted.previous)
            written = tags  # a move that came meanwhile was overwritten: look again
    for undone in left:
        _write(client, name, replace(undone, done=True))
    return wanted if written else now, [replace(move, done=True) for move in moves]


def aliases(model: Any) -> Aliases:
    """Those of an MLflow registered model."""
    at = {alias: str(version) for alias, version in model.aliases.items()}
    return Aliases(champion=at.get(CHAMPION, ""), previous=at.get(PREVIOUS, ""))


def _write(client: MlflowClient, name: str, move: Move) -> None:
    client.set_registered_model_tag(name, move.tag, json.dumps(asdict(move), sort_keys=True))
