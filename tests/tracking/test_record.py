"""Keys and params are ones that MLflow accepts."""

from __future__ import annotations

import pytest

from pipeline.tracking import record


def test_params_are_canonical_text() -> None:
    tree = {"recipes.voc-fcn8s.solver.lr": 1e-10, "solver": {"seed": 1, "on": True}, "heads": ["a", "b"], "none": None}
    assert record.dotted(tree) == {
        "recipes.voc-fcn8s.solver.lr": "1e-10",
        "solver.seed": "1",
        "solver.on": "true",
        "heads": '["a", "b"]',
        "none": "null",
    }
    assert len(record.shortened("x" * 7000)) == 6000


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        ("semantic/iu/night stand", "semantic/iu/night stand"),
        ("semantic/iu/고양이", "semantic/iu/고양이"),
        ("semantic/iu/cat (wild)", "semantic/iu/cat _wild_"),
        ("dvc.dep.../elsewhere", "dvc.dep.../elsewhere"),
        ("a//b/../c", "a/_/b/_/c"),
    ],
)
def test_keys_are_ones_that_mlflow_accepts(name: str, accepted: str) -> None:
    from mlflow.utils.validation import _validate_metric_name

    assert record.key(name) == accepted
    _validate_metric_name(accepted)  # type: ignore[no-untyped-call]
