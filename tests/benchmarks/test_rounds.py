"""The frame of all benchmarks: who runs when, what is told of whom, and when a goal is met."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import _page, _rounds
from benchmarks._rounds import Case, Goal


def test_sides_take_turns_in_changing_order_after_a_first_call_that_does_not_count(tmp_path: Path) -> None:
    heard: list[str] = []

    def side(name: str) -> Callable[[], Callable[[], None]]:
        return lambda: lambda: heard.append(name)

    case = Case(title="turns", peers={"a": side("a"), "b": side("b")}, ours={"ours": side("o")})
    _rounds.run("turns", [case], rounds=4, results=tmp_path, data="None")
    turns = ["".join(heard[start : start + 3]) for start in range(0, 15, 3)]
    assert turns[0] == "abo"
    assert {"".join(sorted(turn)) for turn in turns} == {"abo"}
    assert len(set(turns[1:])) > 1
    rows = json.loads((tmp_path / "turns.json").read_text())["cases"][0]["rows"]
    assert [(row["name"], row["ours"], len(row["seconds"])) for row in rows] == [
        ("a", False, 4),
        ("b", False, 4),
        ("ours", True, 4),
    ]


def test_a_peer_that_is_missing_or_fails_is_a_row_and_ours_is_an_error(tmp_path: Path) -> None:
    def missing() -> Callable[[], object]:
        import no_such_peer

        return no_such_peer.read

    def broken() -> Callable[[], object]:
        raise OSError("disk\nis full")

    goal = Goal(text="ours ≥ the peers", ours="ours", peers=("gone", "broken"), times=1)
    case = Case(
        title="peers", peers={"gone": missing, "broken": broken}, ours={"ours": lambda: lambda: None}, goals=[goal]
    )
    _rounds.run("peers", [case], rounds=2, results=tmp_path, data="None")
    page = (tmp_path / _page.PAGE).read_text()
    assert "| gone | – | – | – | no_such_peer is not installed |\n" in page
    assert "| broken | – | – | – | OSError: disk |\n" in page
    assert "* ours ≥ the peers: not judged, no peer ran\n" in page
    failing = Case(title="ours", peers={}, ours={"ours": broken})
    with pytest.raises(OSError, match="disk"):
        _rounds.run("ours", [failing], rounds=2, results=tmp_path, data="None")
    assert not (tmp_path / "ours.json").exists()


def test_a_goal_is_judged_beside_the_fastest_peer_by_the_median_of_the_rounds() -> None:
    took = {"slow": [8.0, 8.0, 8.0], "fast": [2.0, 6.0, 2.0], "ours": [1.0, 3.0, 4.0]}
    peers = ("slow", "fast", "absent")
    twice = Goal(text="", ours="ours", peers=peers, times=2).judged(took)
    assert (twice["beside"], twice["reached"], twice["best"], twice["met"]) == ("fast", 2.0, 2.0, True)
    assert not Goal(text="", ours="ours", peers=peers, times=2.1).judged(took)["met"]
    over = Goal(text="", ours="ours", peers=("fast",), seconds=-1).judged(took)
    assert (over["reached"], over["met"]) == (-1.0, True)
    assert not Goal(text="", ours="ours", peers=("fast",), seconds=-1.1).judged(took)["met"]


def test_speeds_are_the_amount_over_seconds_and_the_page_shows_every_result(tmp_path: Path) -> None:
    case = Case(title="speed", peers={}, ours={"ours": lambda: lambda: None}, unit="MB/s", amount=10)
    for name in ("b", "a"):
        _rounds.run(name, [case], rounds=2, results=tmp_path, data="Nothing")
    row = json.loads((tmp_path / "a.json").read_text())["cases"][0]["rows"][0]
    assert row["best"] >= row["median"] > 0, "the least time is the greatest speed"
    page = (tmp_path / _page.PAGE).read_text()
    assert page.index("## a\n") < page.index("## b\n")
    assert "| speed | MB/s, median | best | CPU s | |" in page
