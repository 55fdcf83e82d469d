"""A champion's moves: whoever moves at once, in whatever order requests arrive, nothing is lost."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.tracking import moves
from pipeline.tracking.moves import Aliases, Move, move, replay, settle


class Killed(BaseException):
    """What a process dies of before a request."""


class Turns:
    """Lets one thread make one request at a time, in an order drawn by ``chance``; kills one where it is told to."""

    def __init__(self, chance: random.Random, kill: int | None = None) -> None:
        self.chance, self.kill, self.requests = chance, kill, 0
        self.change = threading.Condition()
        self.waiting: dict[int, bool] = {}  # thread: whether it only sleeps
        self.released: int | None = None
        self.running = 0

    def take(self, asleep: bool = False) -> None:
        me = threading.get_ident()
        with self.change:
            self.waiting[me] = asleep
            self.running -= 1
            self.change.notify_all()
            self.change.wait_for(lambda: self.released == me)
            self.released = None
            self.running += 1
            self.requests += 1
            if self.requests == self.kill:
                raise Killed

    def run(self, work: list[Callable[[], Any]]) -> None:
        def one(each: Callable[[], Any]) -> None:
            try:
                self.take()
                each()
            except Killed:
                pass
            finally:
                with self.change:
                    self.running -= 1
                    self.change.notify_all()

        threads = [threading.Thread(target=one, args=(each,), daemon=True) for each in work]
        self.running = len(threads)
        for thread in threads:
            thread.start()
        with self.change:
            while True:
                assert self.change.wait_for(lambda: self.running == 0 and self.released is None, timeout=20)
                if not self.waiting:
                    return
                awake = [thread for thread, asleep in self.waiting.items() if not asleep]
                self.released = self.chance.choice(sorted(awake or self.waiting))
                del self.waiting[self.released]
                self.change.notify_all()
                self.change.wait_for(lambda: self.released is None)


class Registry:
    """One registered model, as a server keeps it: each request whole, none with another."""

    def __init__(self, turns: Turns | None = None) -> None:
        self.turns, self.tags, self.aliases = turns, dict[str, str](), dict[str, str]()

    def get_registered_model(self, name: str) -> SimpleNamespace:
        self._turn()
        return SimpleNamespace(tags=dict(self.tags), aliases=dict(self.aliases))

    def set_registered_model_tag(self, name: str, key: str, value: str) -> None:
        self._turn()
        self.tags[key] = value

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        self._turn()
        self.aliases[alias] = version

    def _turn(self) -> None:
        if self.turns:
            self.turns.take()


def go(client: Any, version: str) -> Move | None:
    return move(client, "m", lambda _: version, kind="promotion", who="t", why="")


def back(client: Any) -> Move | None:
    return move(client, "m", lambda now: now.previous, kind="rollback", who="t", why="bad")


def state(client: Registry) -> tuple[str, str]:
    return client.aliases["champion"], client.aliases.get("previous", "")


@contextmanager
def taking_turns(client: Registry, chance: random.Random, kill: int | None = None) -> Iterator[Turns]:
    client.turns = Turns(chance, kill)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moves.time, "sleep", lambda _: client.turns and client.turns.take(asleep=True))
        yield client.turns
    client.turns = None


def three_versions() -> Registry:
    client = Registry()
    for version in ("1", "2", "3"):
        go(client, version)
    assert state(client) == ("3", "2")
    return client


def test_moves_follow_one_another() -> None:
    client = Registry()
    first = go(client, "1")
    assert first is not None
    assert (first.before, first.after, client.aliases) == ("", "1", {"champion": "1"})
    go(client, "2")
    assert state(client) == ("2", "1")
    assert go(client, "2") is None
    back(client)
    assert state(client) == ("1", "2")
    back(client)
    assert state(client) == ("2", "1")
    journal = moves.read(client.tags)
    assert [(each.kind, each.before, each.after) for each in journal] == [
        ("promotion", "", "1"),
        ("promotion", "1", "2"),
        ("rollback", "2", "1"),
        ("rollback", "1", "2"),
    ]
    assert [each.number for each in journal] == [1, 2, 3, 4]
    assert all(each.done for each in journal)


def test_a_champion_moved_by_hand_stays_and_is_what_the_next_move_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moves, "PATIENCE", 0.0)
    client = three_versions()
    client.aliases["champion"] = "1"
    assert settle(client, "m")[0] == Aliases(champion="1", previous="2")  # type: ignore[arg-type]
    assert state(client) == ("1", "2")
    go(client, "4")
    assert state(client) == ("4", "1")


def test_an_alias_that_another_process_is_about_to_put_right_is_no_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    client = three_versions()
    client.aliases["champion"] = "2"
    monkeypatch.setattr(moves.time, "sleep", lambda _: client.aliases.update(champion="3"))
    go(client, "4")
    assert state(client) == ("4", "3")


@pytest.mark.parametrize("seed", range(100))
def test_promotions_at_once_both_happen_one_after_the_other(seed: int) -> None:
    chance = random.Random(seed)
    client = three_versions()
    with taking_turns(client, chance) as turns:
        turns.run([lambda: go(client, "4"), lambda: go(client, "5")])
    assert sorted(state(client)) == ["4", "5"]
    journal = moves.read(client.tags)
    assert {each.after for each in journal} == {"1", "2", "3", "4", "5"}
    assert all(each.done for each in journal)
    assert replay(journal) == settle(client, "m")[0]  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(200))
def test_three_at_once_lose_no_previous_either(seed: int) -> None:
    chance = random.Random(seed)
    client = three_versions()
    with taking_turns(client, chance) as turns:
        turns.run([lambda: go(client, "4"), lambda: go(client, "5"), lambda: go(client, "6")])
    journal = moves.read(client.tags)
    assert state(client) == (journal[-1].after, journal[-2].after)
    assert {each.after for each in journal[3:]} == {"4", "5", "6"}
    for last, each in pairwise(journal):
        assert each.seen != last.tag or each.before == last.after


@pytest.mark.parametrize("seed", range(40))
def test_a_promotion_and_a_rollback_at_once_leave_a_champion_and_one_before(seed: int) -> None:
    client = three_versions()
    with taking_turns(client, random.Random(seed)) as turns:
        turns.run([lambda: go(client, "4"), lambda: back(client)])
    assert state(client) in {("4", "2"), ("2", "4"), ("3", "4")}  # rolled back first, at once, after


@pytest.mark.parametrize("seed", range(40))
def test_two_rollbacks_that_saw_the_same_champion_are_one(seed: int) -> None:
    client = three_versions()
    with taking_turns(client, random.Random(seed)) as turns:
        turns.run([lambda: back(client), lambda: back(client)])
    numbers = [each.number for each in moves.read(client.tags)][3:]
    assert state(client) == (("2", "3") if numbers == [4, 4] else ("3", "2"))


@pytest.mark.parametrize("kill", range(1, 12))
def test_killed_before_any_request_the_champion_stands_and_the_next_completes_it(kill: int) -> None:
    client = three_versions()
    with taking_turns(client, random.Random(0), kill) as turns:
        turns.run([lambda: go(client, "4")])
    assert client.aliases["champion"] in {"3", "4"}
    began = any(each.after == "4" for each in moves.read(client.tags))
    settle(client, "m")  # type: ignore[arg-type]
    assert state(client) == (("4", "3") if began else ("3", "2"))
    go(client, "5")
    assert state(client) == ("5", "4" if began else "3")


@pytest.mark.parametrize("seed", range(100))
def test_one_of_two_killed_costs_the_other_nothing(seed: int) -> None:
    chance = random.Random(seed)
    client = three_versions()
    with taking_turns(client, chance, kill=chance.randint(1, 24)) as turns:
        turns.run([lambda: go(client, "4"), lambda: go(client, "5")])
    assert client.aliases["champion"] in {"3", "4", "5"}
    before, _ = settle(client, "m")  # type: ignore[arg-type]
    go(client, "6")
    assert state(client) == ("6", before.champion)
