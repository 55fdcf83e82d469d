"""A recipe says what it means or is refused in a line that names the field and the remedy."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from pipeline.core.types import Refusal
from pipeline.training.recipe import SolverSpec, parse
from tests.training.world import recipe, row


def test_a_row_becomes_a_recipe() -> None:
    heavy = recipe(lr=1e-10, momentum=0.99)
    assert (heavy.name, heavy.stride, heavy.heads) == ("noise-fcn", 32, ("semantic",))
    assert heavy.solver == SolverSpec(
        seed=1337,
        iterations=20,
        batch=1,
        lr=1e-10,
        momentum=0.99,
        weight_decay=5e-4,
        reduction="sum",
        virtual_ranks=1,
    )


def test_what_a_net_is_scored_on_is_none_of_trainings_business() -> None:
    without = {key: value for key, value in row().items() if key != "evaluate"}
    assert parse("x", row()) == parse("x", without) == parse("x", {**without, "evaluate": "other/val"})


SOLVER = [
    ({"lrr": 1.0}, "recipes.x.solver has no field 'lrr': did you mean 'lr'? it has seed, iterations, batch, lr, "),
    ({"lr": "1e-10"}, "recipes.x.solver.lr is the text '1e-10': write it with a dot, 1.0e-10"),
    ({"lr": "2.5e3"}, "recipes.x.solver.lr is the text '2.5e3': write it with a dot, 2.5e+3"),
    ({"lr": "1.0e-10"}, "recipes.x.solver.lr is the text '1.0e-10': take off its quotes"),
    ({"lr": "fast"}, "recipes.x.solver.lr is 'fast': write a number"),
    ({"lr": float("nan")}, "recipes.x.solver.lr is nan: write a number"),
    ({"lr": 0.0}, "recipes.x.solver.lr is 0.0: it must be greater than 0"),
    ({"lr": -1e-5}, "recipes.x.solver.lr is -1e-05: it must be greater than 0"),
    ({"batch": True}, "recipes.x.solver.batch is True: write a number"),
    ({"batch": 0}, "recipes.x.solver.batch is 0: it must be at least 1"),
    ({"iterations": 1.5}, "recipes.x.solver.iterations is 1.5: write a whole number"),
    ({"iterations": None}, "recipes.x.solver.iterations is None: write a number"),
    ({"momentum": 1}, "recipes.x.solver.momentum is 1.0: it must be less than 1"),
    ({"weight_decay": -1}, "recipes.x.solver.weight_decay is -1.0: it must be at least 0"),
    ({"reduction": "none"}, "recipes.x.solver.reduction is 'none': choose sum or mean"),
    ({"virtual_ranks": 2}, "recipes.x.solver.virtual_ranks is 2: it must divide solver.batch, 1"),
    ({"virtual_ranks": 0}, "recipes.x.solver.virtual_ranks is 0: it must be at least 1"),
    ({"lr": 1e-2}, "lr is 0.01 with reduction sum: that is a rate for mean losses"),
    ({"lr": 1e-10, "reduction": "mean"}, "lr is 1e-10 with reduction mean: that is a rate for summed losses"),
]
RECIPE = [
    ({"strid": 8}, "recipes.x has no field 'strid': did you mean 'stride'?"),
    ({"stride": 2}, "recipes.x.stride is 2: choose 4, 8, 16 or 32"),
    ({"heads": "semantic"}, "recipes.x.heads is 'semantic': write a list of texts, such as [semantic]"),
    ({"heads": []}, "recipes.x.heads is []: write a list"),
    ({"heads": ["semantic", "semantic"]}, "recipes.x.heads names a head twice"),
    ({"inputs": ["color", "color"]}, "recipes.x.inputs names a column twice: color, color"),
    ({"sampling": 1.5}, "recipes.x.sampling is 1.5: it is a share of the cells, at most 1"),
    ({"sampling": 0}, "recipes.x.sampling is 0.0: it must be greater than 0"),
    ({"skip_scales": 0.01}, "recipes.x.skip_scales is 0.01: write a list of numbers, or []"),
    ({"alter": "mirror"}, "recipes.x.alter is 'mirror': choose none or jitter"),
    ({"mean": "mine"}, "recipes.x.mean is 'mine': choose init or published or measured"),
    ({"start": "scratch"}, "recipes.x.start is 'scratch': choose init or random"),
    ({"init": None}, "recipes.x.init is None: write a text"),
    ({"solver": 3}, "recipes.x.solver is 3: it must be a map of seed, iterations"),
]


@pytest.mark.parametrize(("change", "message"), SOLVER, ids=str)
def test_refuses_a_solver(change: dict[str, Any], message: str) -> None:
    solver: Any = row()["solver"]
    with pytest.raises(Refusal, match=re.escape(message)):
        parse("x", {**row(), "solver": {**solver, **change}})


@pytest.mark.parametrize(("change", "message"), RECIPE, ids=str)
def test_refuses_a_row(change: dict[str, Any], message: str) -> None:
    with pytest.raises(Refusal, match=re.escape(message)):
        parse("x", {**row(), **change})


@pytest.mark.parametrize("field", [field for field in row() if field != "evaluate"])
def test_refuses_a_row_that_lacks_a_field(field: str) -> None:
    with pytest.raises(Refusal, match=rf"recipes\.x lacks {field}: give every field a value"):
        parse("x", {key: value for key, value in row().items() if key != field})


@pytest.mark.parametrize("text", ["1e-10", "5E-4", "1e5", "2.5e3", "7"])
def test_the_remedy_is_a_number_in_yaml(text: str) -> None:
    """PyYAML reads YAML 1.1, where a float needs a dot and its exponent a sign."""
    solver: Any = row()["solver"]
    with pytest.raises(Refusal) as refusal:
        parse("x", {**row(), "solver": {**solver, "weight_decay": text}})
    remedy = str(refusal.value).rpartition("write it with a dot, ")[2] if "dot" in str(refusal.value) else text
    assert yaml.safe_load(remedy) == float(text)
