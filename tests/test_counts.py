"""Counts in params.yaml are read strictly: one number a split, or alternatives where either will do."""

from __future__ import annotations

import pytest

from pipeline.core import counts
from pipeline.core.types import Refusal


def test_reads_one_number_a_split() -> None:
    assert counts.parse("miniatures.voc.counts", ["train=60", "val=150"], ("train", "val")) == {"train": 60, "val": 150}


def test_reads_alternatives() -> None:
    assert counts.alternatives("datasets.voc.expect", ["train=120|1464"], ("train",)) == {"train": (120, 1464)}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["train=60"], r"x\.counts counts train: count train, val, each once"),
        (["train=60", "val=150", "test=1"], r"x\.counts counts train, val, test: count train, val, each once"),
        (["train: 60", "val=150"], r"x\.counts has 'train: 60': write it as split=number"),
        (["train=sixty", "val=150"], r"x\.counts has 'train=sixty': write it as split=number"),
        (["train=60|70", "val=150"], r"x\.counts gives train 2 numbers: give it one"),
    ],
)
def test_refuses(texts: list[str], message: str) -> None:
    with pytest.raises(Refusal, match=message):
        counts.parse("x.counts", texts, ("train", "val"))
