"""The download stages fetch what params.yaml lists, and say in one line what they cannot."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from stages import download, download_weights

ROOT = Path(__file__).parents[2]


def params(home: Path, **maps: Any) -> None:
    (home / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    (home / "params.yaml").write_text(yaml.safe_dump(maps))


def test_archives_arrive_and_trust_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.bin").write_bytes(b"a")
    row = {"name": "a.bin", "urls": [(tmp_path / "a.bin").as_uri()], "sha256": [], "bytes": 1}
    params(tmp_path, downloads={"voc": {"files": [row]}})
    ran = CliRunner().invoke(download.main, ["voc"])
    assert (ran.exit_code, Path("data/raw/voc/a.bin").read_bytes()) == (0, b"a")
    assert f"data/raw/voc/a.bin is taken on trust: list sha256 {hashlib.sha256(b'a').hexdigest()}" in ran.stderr
    params(tmp_path, downloads={"voc": {"files": [{**row, "urls": [], "sha256": ["0" * 64]}]}})
    ran = CliRunner().invoke(download.main, ["voc"])
    assert ran.exit_code == 1
    assert ran.stderr.startswith("Error: could not fetch a.bin: no URL is listed; put it into a folder")


def test_weights_arrive_beside_their_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.bin").write_bytes(b"a")
    monkeypatch.setenv("FCN_MIRROR", str(tmp_path))
    digest = hashlib.sha256(b"a").hexdigest()
    manifest = dict.fromkeys(["format", "order", "range", "mean", "std", "crop", "width", "source", "licence"], 1)
    row = {"file": {"name": "a.bin", "urls": [], "sha256": [digest], "bytes": None}, "manifest": manifest}
    params(tmp_path, weight_downloads={"vgg16": row})
    ran = CliRunner().invoke(download_weights.main, ["vgg16"])
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert sorted(path.name for path in Path("data/weights/vgg16").iterdir()) == ["a.bin", "manifest.json"]
