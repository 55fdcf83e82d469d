"""Stages start as soon as what they need is done, and the longest chain never waits."""

from __future__ import annotations

from ops._repro.order import Order

DIAMOND = {"data": [], "a": ["data"], "b": ["data"], "b2": ["b"], "report": ["a", "b2"]}


def test_a_stage_waits_for_all_that_it_needs() -> None:
    plan = Order(list(DIAMOND), DIAMOND)
    assert plan.next(set(), set()) == "data"
    assert plan.next({"data"}, set()) is None
    assert plan.next({"data", "a", "b", "b2"}, {"data", "b", "b2"}) is None
    assert plan.next({"data", "a", "b", "b2"}, {"data", "a", "b", "b2"}) == "report"


def test_the_longest_chain_goes_first() -> None:
    assert Order(list(DIAMOND), DIAMOND).next({"data"}, {"data"}) == "b"


def test_of_equal_chains_the_first_in_dvcs_order_goes_first() -> None:
    assert Order(["x", "y"], {"x": [], "y": []}).next(set(), set()) == "x"


def test_what_is_outside_the_plan_is_not_waited_for() -> None:
    assert Order(["a"], {"a": ["data"]}).next(set(), set()) == "a"


def test_a_stage_without_outputs_waits_for_all_that_dvc_walks_before_it() -> None:
    plan = Order(["a", "b", "publish"], {"a": [], "b": [], "publish": ["b"]}, alone=["publish"])
    assert plan.next({"a", "b"}, {"b"}) is None
    assert plan.next({"a", "b"}, {"a", "b"}) == "publish"


def test_entries_are_written_without_gaps() -> None:
    plan = Order(list(DIAMOND), DIAMOND)
    assert plan.begun({"data", "b"}) == ["data"]
    assert plan.begun({"data", "a", "b"}) == ["data", "a", "b"]
    assert plan.begun(set(DIAMOND)) == list(DIAMOND)
