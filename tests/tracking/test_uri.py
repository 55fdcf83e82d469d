"""Where a store keeps its files, and that its password goes into no message."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.tracking import uri


def test_the_store_is_what_is_asked_for_then_the_environments_then_a_file_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert uri.chosen(tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://a")
    assert uri.chosen(tmp_path) == "http://a"
    assert uri.chosen(tmp_path, "http://b") == "http://b"
    for scheme in ("postgres", "postgresql", "postgresql+psycopg2"):  # by the driver that the extra installs
        assert uri.chosen(tmp_path, f"{scheme}://me@db/fcn") == "postgresql+psycopg2://me@db/fcn"


def test_files_lie_beside_the_database_or_where_the_environment_or_the_server_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_DEFAULT_ARTIFACT_ROOT", raising=False)
    assert uri.artifacts("sqlite:////data/mlflow.db", tmp_path) == "file:///data/mlartifacts"
    assert uri.artifacts("postgresql://db/fcn", tmp_path) == f"file://{tmp_path}/mlartifacts"
    monkeypatch.setenv("MLFLOW_DEFAULT_ARTIFACT_ROOT", "s3://fcn")
    assert uri.artifacts("postgresql://db/fcn", tmp_path) == "s3://fcn"
    assert uri.artifacts("http://server", tmp_path) is None


@pytest.mark.parametrize(
    ("plain", "masked"),
    [
        ("http://server:5000/mlflow", "http://server:5000/mlflow"),
        ("https://me:p@ss/word@server", "https://***@server"),
        ("postgresql://db/fcn?user=me&password=word", "postgresql://db/fcn?***"),
        ("sqlite:////home/a@b/mlflow.db", "sqlite:////home/a@b/mlflow.db"),
    ],
)
def test_a_uri_is_named_without_its_login(plain: str, masked: str) -> None:
    assert uri.masked(plain) == masked


@pytest.mark.parametrize(
    ("store", "said", "reason"),
    [
        ("http://me:p%40ss@server/", "to http://me:p%40ss@server/api", "to http://***@server/api"),
        ("http://me:p%40ss@server/", "login me, p@ss: no such user\nTraceback", "login me, ***: no such user"),
        ("postgresql://db/fcn?user=me&password=p%40ss", "no p@ss, no p%40ss", "no ***, no ***"),
        ("http://server", "", "ValueError"),
    ],
)
def test_an_error_is_told_in_its_first_line_without_the_password(store: str, said: str, reason: str) -> None:
    assert uri.reason(ValueError(said), store) == reason
