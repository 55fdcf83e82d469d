"""Each benchmark on a few images with the peers that are here, and the frame of all: turns, goals, the page."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from benchmarks import __main__ as every
from benchmarks import _formats, _page, _photos, _rounds, _world, converting, histogram, reading, repro, starting, step
from benchmarks._rounds import Case, Goal
from pipeline.core.types import Refusal
from pipeline.shards.reader import Shards
from tests.closure import ROOT


@pytest.fixture(autouse=True, scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where photographs are rendered, once for all of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_photos, "KEPT", tmp_path_factory.mktemp("kept"))
        yield _photos.KEPT


def measured(command: click.Command, results: Path, name: str) -> list[dict[str, Any]]:
    told = CliRunner().invoke(
        command, ["--rounds", "2", "--images", "4", "--results", str(results)], catch_exceptions=False
    )
    assert told.exit_code == 0, told.output
    found = json.loads((results / f"{name}.json").read_text())
    assert f"## {name}\n" in (results / "results.md").read_text()
    return list(found["cases"])


def by_name(case: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in case["rows"]}


def missing(rows: dict[str, dict[str, Any]]) -> set[str]:
    return {row["note"] for row in rows.values() if "median" not in row}


@pytest.mark.filterwarnings("ignore:.*(fork|TorchVision):DeprecationWarning")  # DataLoader's workers; torchvision.io
def test_reading_gives_every_sample_with_the_peers_that_are_there(tmp_path: Path) -> None:
    one, two = measured(reading.main, tmp_path, "reading")
    for case in (one, two):
        rows = by_name(case)
        assert {"torchvision VOCSegmentation", "datasets", "ours"} <= {n for n, row in rows.items() if "median" in row}
        assert missing(rows) <= {f"{name} is not installed" for name in ("webdataset", "streaming", "litdata")}
        assert [goal["beside"] is not None for goal in case["goals"]] == [True] * 4


@pytest.mark.filterwarnings("ignore:.*TorchVision:DeprecationWarning")
def test_what_all_read_is_the_same_pictures(tmp_path: Path) -> None:
    raw = _photos.archive(4, None)
    held = _photos.samples(raw)
    _formats.shards(tmp_path, raw)
    for example, sample in zip(Shards(tmp_path / "train"), held, strict=True):  # __getitem__ until IndexError
        for decoded in (reading.pillow_decoded(*_photos.encoded(sample)), torchvision(sample)):
            assert np.array_equal(decoded[0], example.images["color"])
            assert np.array_equal(decoded[1], example.labels["semantic"])


def torchvision(sample: Any) -> tuple[Any, Any]:
    image, label = reading.torch_decoded(*_photos.encoded(sample))
    return image.permute(1, 2, 0).numpy(), label[0].numpy()


def test_histogram_counts_as_score_py_does(tmp_path: Path) -> None:
    (case,) = measured(histogram.main, tmp_path, "histogram")
    assert missing(by_name(case)) <= {"torchmetrics is not installed"}
    maps = histogram.pairs(_photos.archive(4, None))
    assert all((truth == histogram.VOID).any() for truth, _ in maps)
    assert np.array_equal(histogram.summed(maps, histogram.ours)(), histogram.summed(maps, histogram.score_py)())


def test_converting_weighs_what_each_wrote(tmp_path: Path) -> None:
    (case,) = measured(converting.main, tmp_path, "converting")
    rows = by_name(case)
    payload = sum(len(file) for sample in _photos.samples(_photos.archive(4, None)) for file in _photos.encoded(sample))
    for name in ("cp of one file", "datasets, to_parquet", converting.PACKING, "ours, convert"):
        assert float(rows[name]["note"].removesuffix(" MB")) >= round(payload / 1e6, 1), name


def test_real_photographs_that_are_not_there_are_refused(tmp_path: Path) -> None:
    told = CliRunner().invoke(reading.main, ["--real", str(tmp_path), "--results", str(tmp_path)])
    assert told.exit_code == 1
    assert told.output.startswith(f"Error: {tmp_path} must hold one VOCtrainval_*.tar, found none")


def test_starting_knows_each_stage_by_its_first_row() -> None:
    found = starting.firsts(ROOT)
    assert found["train"] == next(iter(yaml.safe_load((ROOT / "params.yaml").read_text())["recipes"]))
    assert found["report"] == ""
    assert "download" not in found, "this scale downloads nothing"
    for name in ("report", "train"):
        starting.started("-c", starting.START, name, found[name])()


def test_a_command_that_fails_in_the_world_is_told_by_its_last_line(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"^dvc repro exited 253 in .*, saying: .*not inside of a DVC repository"):
        _world.command(tmp_path, "dvc", "repro")


@pytest.mark.slow
def test_one_stage_is_timed_alone_under_dvc_and_under_fcn(tmp_path: Path) -> None:
    root = _world.small(tmp_path / "small", images=4)
    _rounds.run("repro", [repro.one(root)], rounds=2, results=tmp_path, data="Four images a split")
    (case,) = json.loads((tmp_path / "repro.json").read_text())["cases"]
    assert missing(by_name(case)) == set()
    assert all(row["best"] > 0 for row in case["rows"])


def test_one_benchmark_that_fails_is_named_after_all_have_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(every, "NAMES", ("absent",))
    told = CliRunner().invoke(every.main, ["--results", str(tmp_path)])
    assert told.exit_code == 1
    assert told.output.startswith("1 of 1: absent …\nabsent: ")
    assert told.output.endswith("Error: absent failed: run python -m benchmarks.absent to see why\n")


def test_a_training_step_is_timed_in_a_process_of_its_own(tmp_path: Path) -> None:
    small = ["--rounds", "2", "--down", "40", "--across", "50", "--width", "0.0625", "--threads", "1"]
    told = CliRunner().invoke(step.main, [*small, "--results", str(tmp_path)], catch_exceptions=False)
    assert told.exit_code == 0, told.output
    (case,) = json.loads((tmp_path / "step.json").read_text())["cases"]
    rows = by_name(case)
    assert rows["ours"]["median"] > 0
    assert all("median" in row or "torchfcn is not installed" in row["note"] for row in rows.values())


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
