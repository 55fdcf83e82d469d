"""The gate: what is no worse passes, what is worse in any judged number does not, and what it cannot see fails."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.types import Refusal
from pipeline.gate import Thresholds, Verdict, judge, with_classes

ASKED = Thresholds(floor=0.3, tolerance=0.01, class_drop=0.1, heads=("semantic",), proofs=("train", "evaluate"))
PROVED = {"train": "", "evaluate": ""}
NAN = float("nan")


def head(mean_iu: Any, **iu: Any) -> dict[str, Any]:
    return {"mean_iu": mean_iu, "iu": iu, "absent": [name for name, value in iu.items() if value is None]}


def metrics(mean_iu: Any = 0.5, **heads: Any) -> dict[str, Any]:
    semantic = head(mean_iu, cat=0.6, dog=0.4, cow=None)
    return {"semantic": semantic, "images": 3, "ids_sha256": "abc", "scale": "miniature", **heads}


def failed(verdict: Verdict) -> list[str]:
    assert verdict.passed == (not [check for check in verdict.checks if check.judged and not check.passed])
    assert all(check.reason for check in verdict.checks)
    return [check.name for check in verdict.checks if check.judged and not check.passed]


@pytest.mark.parametrize(
    ("candidate", "fails"),
    [
        (metrics(), []),
        (metrics(0.49), []),
        (metrics(0.489), ["mean_iu"]),
        (metrics(0.29), ["floor", "mean_iu"]),
        (metrics(NAN), ["floor", "mean_iu"]),
        (metrics(38.9), ["floor", "mean_iu"]),  # a percentage
        (metrics(semantic=head(0.5, cat=0.7, dog=0.3, cow=None)), []),
        (metrics(semantic=head(0.5, cat=0.7, dog=0.299, cow=None)), ["classes"]),
        (metrics(semantic=head(0.5, cat=0.6, dog=None, cow=None)), ["classes"]),  # vanished
        (metrics(semantic=head(0.5, cat=0.6, cow=None)), ["classes"]),  # missing
        (metrics(semantic=head(0.5, cat=0.6, dog=0.4)), ["classes"]),  # another list of classes
        (metrics(semantic=head(0.5, cat=0.6, dog=0.4, cow=0.2)), []),  # absent in the champion's alone
        (metrics(semantic={}), ["floor", "mean_iu", "classes"]),
        ({**metrics(), "semantic": None}, ["floor", "mean_iu", "classes"]),
        (metrics(ids_sha256="abd"), ["ids_sha256"]),
        (metrics(scale="paper"), ["scale"]),
        ({}, ["floor", "mean_iu", "classes", "ids_sha256", "scale"]),
    ],
)
def test_every_check_beside_a_champion(candidate: dict[str, Any], fails: list[str]) -> None:
    assert failed(judge(candidate, metrics(), ASKED, PROVED)) == fails


@pytest.mark.parametrize("broken", [NAN, None, "0.5", 2.0])
def test_a_champion_whose_numbers_cannot_be_read_lets_nobody_pass(broken: Any) -> None:
    assert failed(judge(metrics(), metrics(broken), ASKED, PROVED)) == ["mean_iu"]
    champion = metrics(semantic=head(0.5, cat=0.6, dog=broken, cow=None))
    if broken is not None:
        assert failed(judge(metrics(), champion, ASKED, PROVED)) == ["classes"]
    assert failed(judge(metrics(), {}, ASKED, PROVED)) == ["mean_iu", "classes", "ids_sha256", "scale"]


def test_without_a_champion_floor_and_proof_decide() -> None:
    assert failed(judge(metrics(0.3), None, ASKED, PROVED)) == []
    assert failed(judge(metrics(0.299), None, ASKED, PROVED)) == ["floor"]
    assert failed(judge(metrics(ids_sha256="", scale=None), None, ASKED, PROVED)) == ["ids_sha256", "scale"]
    assert failed(judge(metrics(), None, ASKED, {"train": "nobody ran it"})) == ["proof of train", "proof of evaluate"]


def test_a_head_that_is_not_asked_for_is_reported_and_one_that_is_decides() -> None:
    champion, candidate = (metrics(geometric=head(score, sky=score)) for score in (0.9, 0.2))
    verdict = judge(candidate, champion, ASKED, PROVED)
    assert failed(verdict) == []
    others = [check.name for check in verdict.checks if check.head == "geometric" and not check.passed]
    assert others == ["floor", "mean_iu", "classes"]
    both = replace(ASKED, heads=("semantic", "geometric"))
    assert failed(judge(candidate, champion, both, PROVED)) == ["floor", "mean_iu", "classes"]
    assert failed(judge(metrics(), champion, both, PROVED)) == ["floor", "mean_iu", "classes"], "the head is missing"


def test_reasons_name_numbers_and_classes() -> None:
    candidate = metrics(0.4, semantic=head(0.4, cat=0.4, dog=0.1, cow=None))
    reasons = {check.name: check.reason for check in judge(candidate, metrics(), ASKED, PROVED).checks}
    assert reasons["floor"] == "mean IU 0.400, at least the floor of 0.300"
    assert reasons["mean_iu"] == "mean IU 0.400 beside the champion's 0.500, not within the tolerance of 0.010"
    assert reasons["classes"] == "lost more than 0.100 of IU: dog (0.300), cat (0.200)"
    assert reasons["scale"] == "miniature, as the champion's"
    vanished = metrics(semantic=head(0.5, cat=0.6, dog=None, cow=None))
    (check,) = (check for check in judge(vanished, metrics(), ASKED, PROVED).checks if check.name == "classes")
    assert (check.reason, check.candidate) == ("lost more than 0.100 of IU: dog (0.400)", 0.4), "all it had, no more"
    assert failed(judge(vanished, metrics(), replace(ASKED, class_drop=0.4), PROVED)) == []


ROWS = """
defaults: {floor: 0.1, tolerance: 0.005, class_drop: 0.1, heads: [semantic], proofs: [train]}
paper: {voc: {floor: 0.6, heads: [semantic, geometric]}}
"""


def test_a_row_says_what_differs_from_the_defaults(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="it says what a promotion must reach"):
        Thresholds.read(tmp_path / "gate.yaml", "paper", "voc")
    (tmp_path / "gate.yaml").write_text(ROWS)
    voc = Thresholds.read(tmp_path / "gate.yaml", "paper", "voc")
    assert (voc.floor, voc.tolerance, voc.heads) == (0.6, 0.005, ("semantic", "geometric"))
    for scale, dataset in (("miniature", "voc"), ("paper", "leaves")):
        assert Thresholds.read(tmp_path / "gate.yaml", scale, dataset).floor == 0.1


@pytest.mark.parametrize(
    ("was", "now", "reason"),
    [
        ("floor: 0.6", "flor: 0.6", "gate.yaml: paper.voc has no field 'flor': did you mean 'floor'?"),
        ("floor: 0.6", "floor: 60", "gate.yaml: paper.voc.floor is 60.0: it must be less than 1.0"),
        ("class_drop: 0.1, ", "", "gate.yaml: defaults lacks class_drop: give every field without a default a value"),
        ("{floor: 0.6, heads: [semantic, geometric]}", "0.6", "gate.yaml: paper.voc is 0.6: write a map"),
        ("defaults: ", "default: ", "gate.yaml: defaults is None: write a map"),
    ],
)
def test_a_slip_in_any_row_names_key_and_remedy(tmp_path: Path, was: str, now: str, reason: str) -> None:
    assert was in ROWS
    (tmp_path / "gate.yaml").write_text(ROWS.replace(was, now))
    with pytest.raises(Refusal) as refused:
        Thresholds.read(tmp_path / "gate.yaml", "miniature", "nyud")
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_committed_thresholds_hold_and_the_committed_best_reach_them() -> None:
    root = Path(__file__).parents[1]
    for dataset, recipe in {"voc": "voc-fcn8s", "nyud": "nyud-fcn16s-color-hha", "siftflow": "siftflow-fcn8s"}.items():
        asked = Thresholds.read(root / "conf/gate.yaml", "miniature", dataset)
        found = (json.loads((root / f"eval/{recipe}/{name}.json").read_text()) for name in ("metrics", "classes"))
        scored = with_classes(*found)
        assert judge(scored, scored, asked, dict.fromkeys(asked.proofs, "")).passed
