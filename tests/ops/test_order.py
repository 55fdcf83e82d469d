"""Stages start as soon as what they need is done: what can fail at once first, then what is nearest to a result."""

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


def test_entries_are_written_without_gaps() -> None:
    plan = Order(list(DIAMOND), DIAMOND)
    assert plan.begun({"data", "b"}) == ["data"]
    assert plan.begun({"data", "a", "b"}) == ["data", "a", "b"]
    assert plan.begun(set(DIAMOND)) == list(DIAMOND)


LADDER = {
    "download": [],
    "pretrain": [],
    "convert": ["download"],
    "train32": ["convert", "pretrain"],
    "train16": ["train32"],
    "evaluate32": ["train32"],
    "evaluate16": ["train16"],
    "other": ["convert"],
    "scored": ["other"],
    "report": ["evaluate32", "evaluate16", "scored"],
    "publish": ["report"],
}
LONG = ("pretrain", "train32", "train16", "evaluate32", "evaluate16", "other", "scored")


def started() -> list[str]:
    """The order of the ladder's stages where one runs at a time."""
    order, done = Order(list(LADDER), LADDER, long=LONG), list[str]()
    while (stage := order.next(done, done)) is not None:
        done.append(stage)
    return done


def test_downloads_and_conversions_come_before_any_training() -> None:
    assert started()[:2] == ["download", "convert"]


def test_a_net_is_scored_as_soon_as_it_is_trained() -> None:
    order = started()
    assert [order[order.index(f"train{stride}") + 1] for stride in (32, 16)] == ["evaluate32", "evaluate16"]


def test_the_ladder_whose_evaluation_is_nearest_goes_first() -> None:
    """The other net needs no pretraining, so its score is two stages away, not three."""
    order = started()
    assert order.index("scored") < order.index("pretrain")


def test_what_has_no_slot_makes_way_for_what_has_one() -> None:
    order = Order(list(LADDER), LADDER, long=LONG)
    assert order.next({"download"}, {"download"}, fits=LONG.__contains__) == "pretrain"
    assert order.next({"download"}, {"download"}, fits=lambda _: False) is None
