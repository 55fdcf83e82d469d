"""``fcn lineage`` draws what a stage came from, and ``fcn backfill`` gives a new server the runs it lacks."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from ops import backfill, lineage
from stages import publish
from tests.stages.world import CHILDREN, PARAMS, enter, lock, locked, parents, retrained, run, runs, told


@pytest.fixture
def world(tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter(tmp_path, tables, monkeypatch)


def invoke(command: object, *args: str) -> str:
    done = CliRunner().invoke(command, [*args], catch_exceptions=False)  # type: ignore[arg-type]
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_tree_leads_down_to_the_archive_and_says_a_thing_once(world: Path) -> None:
    invoke(publish.main)
    train, evaluate = run(world, "train@voc-fcn8s"), run(world, "evaluate@voc-fcn8s")
    lines = invoke(lineage.main, "evaluate@voc-fcn8s").splitlines()
    fingerprint = evaluate.data.tags["dvc.inputs"][:8]
    assert lines[0].startswith(f"evaluate@voc-fcn8s {fingerprint}  run {evaluate.info.run_id}  FINISHED  unknown  20")
    assert lines[0].endswith("mean_iu/semantic 0.5")
    assert lines[1].startswith("├─ convert@voc ")
    assert lines[2].startswith("│  └─ miniature@voc ")
    assert lines[3] == "│     └─ data/raw/voc md5 a1.dir"
    assert lines[4].startswith(f"└─ train@voc-fcn8s {train.data.tags['dvc.inputs'][:8]}  run {train.info.run_id}")
    assert lines[4].endswith("loss 1.25")
    assert lines[5:] == [f"   └─ convert@voc {run(world, 'convert@voc').data.tags['dvc.inputs'][:8]} (above)"]


def test_what_was_fetched_is_told_by_its_address(world: Path) -> None:
    entries = locked(world)
    files = [{"name": "a.tar", "urls": ["https://a/a.tar", "https://b/a.tar"]}, {"name": "c", "urls": ["https://a/c"]}]
    entries["download@voc"] |= {"outs": entries.pop("miniature@voc")["outs"]}
    entries["download@voc"]["params"] = {"params.yaml": {"downloads.voc.files": files}}
    lock(world, entries)
    (world / "params.yaml").write_text(yaml.safe_dump({**PARAMS, "miniatures": {}, "downloads": {"voc": {}}}))
    last = invoke(lineage.main, "convert@voc").splitlines()[-3:]
    assert [line.split("─ ")[1] for line in last] == ["data/raw/voc md5 a1.dir", "https://a/a.tar", "https://a/c"]


def test_an_unknown_stage_is_refused_with_the_nearest(world: Path) -> None:
    done = CliRunner().invoke(lineage.main, ["train@voc-fcn9s"])
    assert done.exit_code == 1
    assert "dvc.lock has no stage train@voc-fcn9s: did you mean 'train@voc-fcn" in done.output


def test_an_empty_server_gets_a_run_per_stage_and_a_full_one_none(world: Path) -> None:
    assert invoke(lineage.main, "train@voc-fcn8s").splitlines()[0].endswith("  no run: fcn backfill")
    assert invoke(backfill.main).startswith(f"backfilled {CHILDREN} new runs, 0 completed, 0 adopted, 0 unchanged")
    assert len(runs(world, backfilled="true")) == CHILDREN + 1
    assert len(parents(world)) == 1
    assert invoke(lineage.main, "train@voc-fcn8s").splitlines()[0].endswith("backfilled")
    before = told(world)
    for command in (backfill.main, publish.main):
        assert f" 0 new runs, 0 completed, 0 adopted, {CHILDREN} unchanged" in invoke(command)
    assert told(world) == before
    retrained(world, 5e-9, "b9")
    lines = invoke(lineage.main, "train@voc-fcn8s").splitlines()
    assert [line.endswith("no run: fcn backfill") for line in lines] == [True, False, False, False]
