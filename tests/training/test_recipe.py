"""A recipe says what it means or is refused in a line that names the field and the remedy."""

import re
from typing import Any

import pytest
import yaml

from pipeline.core.types import Refusal
from pipeline.training.recipe import SolverSpec, parse
from tests.training.world import recipe, row


def test_a_row_says_what_differs_from_the_defaults() -> None:
    heavy = recipe(lr=1e-10, momentum=0.99)
    assert (heavy.name, heavy.net.stride, heavy.net.heads, heavy.data.alter) == ("noise-fcn", 32, ("semantic",), "none")
    assert heavy.solver == SolverSpec(iterations=20, lr=1e-10, momentum=0.99)
    assert (heavy.solver.batch, heavy.solver.weight_decay, heavy.solver.reduction) == (1, 5e-4, "sum")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lrr": 1.0}, "solver has no field 'lrr': did you mean 'lr'? it has iterations, lr, "),
        ({"lr": "1e-10"}, "solver.lr is the text '1e-10': write it with a dot, 1.0e-10"),
        ({"lr": "1.0e-10"}, "solver.lr is the text '1.0e-10': take off its quotes"),
        ({"lr": "fast"}, "solver.lr is 'fast': write a number"),
        ({"lr": float("nan")}, "solver.lr is nan: write a number"),
        ({"lr": 0.0}, "solver.lr is 0.0: it must be greater than 0"),
        ({"batch": True}, "solver.batch is True: write a number"),
        ({"milestones": -1}, "solver.milestones is -1: it must be at least 0"),
        ({"iterations": 1.5}, "solver.iterations is 1.5: write a whole number"),
        ({"iterations": None}, "solver.iterations is None: write a number"),
        ({"momentum": 1}, "solver.momentum is 1.0: it must be less than 1"),
        ({"reduction": "none"}, "solver.reduction is 'none': choose sum or mean"),
        ({"virtual_ranks": 2}, "solver.virtual_ranks is 2: it must divide solver.batch, 1"),
        ({"lr": 1e-2}, "lr is 0.01 with reduction sum: that is a rate for mean losses"),
        ({"lr": 1e-10, "reduction": "mean"}, "lr is 1e-10 with reduction mean: that is a rate for summed losses"),
        ({"stride": 2}, "net.stride is 2: choose 4, 8, 16 or 32"),
        ({"heads": "semantic"}, "net.heads is 'semantic': write a list of texts, such as [semantic]"),
        ({"heads": ["semantic", "semantic"]}, "net.heads names a column twice: semantic, semantic"),
        ({"sampling": 1.5}, "solver.sampling is 1.5: it is a share of the cells, at most 1"),
        ({"skip_scales": 0.01}, "net.skip_scales is 0.01: write a list of numbers, or []"),
        ({"alter": "flip"}, "data.alter is 'flip': choose none or mirror or jitter"),
        ({"crop": 31}, "data.crop is 31: write 0 for whole images, or 32 px or more"),
        ({"init": None}, "net.init is None: write a text"),
    ],
    ids=str,
)
def test_refuses_a_field(change: dict[str, Any], message: str) -> None:
    with pytest.raises(Refusal, match=re.escape(message)) as refusal:
        recipe(**change)
    assert str(refusal.value).startswith("recipes.noise-fcn.")


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ({"solver": 3}, "recipes.x.solver is 3: it must be a map of iterations, lr"),
        ({"nets": {}}, "recipes.x has no field 'nets': did you mean 'net'?"),
        ({"solver": {"lr": 1e-9, "momentum": 0.9}}, "recipes.x.solver lacks iterations: give every field without"),
    ],
)
def test_refuses_a_group(group: dict[str, Any], message: str) -> None:
    plain = {name: fields for name, fields in row().items() if name != "evaluate"}
    with pytest.raises(Refusal, match=re.escape(message)):
        parse("x", {**plain, **group})


@pytest.mark.parametrize("text", ["1e-10", "5E-4", "1e5", "2.5e3", "7"])
def test_the_remedy_is_a_number_in_yaml(text: str) -> None:
    """PyYAML reads YAML 1.1, where a float needs a dot and its exponent a sign."""
    with pytest.raises(Refusal) as refusal:
        recipe(weight_decay=text)
    remedy = str(refusal.value).rpartition("write it with a dot, ")[2] if "dot" in str(refusal.value) else text
    assert yaml.safe_load(remedy) == float(text)


def test_a_rate_stays_or_falls_along_a_line() -> None:
    rates = {kind: recipe(iterations=4, lr=1e-7, schedule=kind).solver.rate for kind in ("constant", "linear")}
    assert [rates["linear"](iteration) / 1e-7 for iteration in range(4)] == pytest.approx([1, 0.75, 0.5, 0.25])
    assert rates["constant"](3) == 1e-7
