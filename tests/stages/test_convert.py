"""The convert stage turns real archives into shards as params.yaml says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from pipeline.shards.reader import Shards
from stages import convert

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared/real"


@pytest.mark.skipif(not REAL.is_dir(), reason="no ../shared/real")
def test_real_voc_converts_and_a_wrong_count_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data/raw").mkdir(parents=True)
    Path("data/raw/voc").symlink_to(REAL)
    Path("dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    row = {"rows_per_shard": 50, "expect": ["train=120", "val=130", "seg11valid=736"]}
    Path("params.yaml").write_text(yaml.safe_dump({**params, "datasets": {"voc": row}}))
    ran = CliRunner().invoke(convert.main, ["voc"])
    assert ran.exit_code == 1
    assert ran.stderr.startswith("Error: voc/seg11valid lists 100 ids, expected 736: ")
    assert not Path("data/shards").exists()
    row["expect"] = ["train=120", "val=130", "seg11valid=100"]
    Path("params.yaml").write_text(yaml.safe_dump({**params, "datasets": {"voc": row}}))
    assert CliRunner().invoke(convert.main, ["voc"]).exit_code == 0
    assert [len(Shards(Path("data/shards/voc") / split)) for split in ("train", "val", "seg11valid")] == [120, 130, 100]
