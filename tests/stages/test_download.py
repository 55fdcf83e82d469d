"""The download stage fetches what params.yaml lists, and says in one line what it cannot."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from stages import download

ROOT = Path(__file__).parents[2]


def run(home: Path, **row: Any) -> Result:
    (home / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    (home / "params.yaml").write_text(yaml.safe_dump({"downloads": {"voc": {"folder": "data/raw/voc", **row}}}))
    return CliRunner().invoke(download.main, ["voc"])


def test_archives_arrive_and_trust_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.bin").write_bytes(b"a")
    ran = run(tmp_path, files=[{"name": "a.bin", "urls": [(tmp_path / "a.bin").as_uri()], "sha256": [], "bytes": 1}])
    assert (ran.exit_code, Path("data/raw/voc/a.bin").read_bytes()) == (0, b"a")
    assert f"data/raw/voc/a.bin is taken on trust: list sha256 {hashlib.sha256(b'a').hexdigest()}" in ran.stderr
    ran = run(tmp_path, files=[{"name": "a.bin", "sha256": ["0" * 64]}])
    assert ran.exit_code == 1
    assert ran.stderr.startswith("Error: could not fetch a.bin: no URL is listed; put it into a folder")
