"""compose.yaml keeps docs/team.md's promises, as far as they can be read: no container is run here."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.closure import ROOT

TEXT = (ROOT / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
ONCE = {"schema", "bucket"}
SECRET = re.compile(r"PASSWORD|SECRET|ACCESS_KEY|accessKey|secretKey")


@pytest.mark.parametrize("name", ["POSTGRES_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY"])
def test_nothing_starts_without_its_passwords(name: str) -> None:
    uses = re.findall(rf"\$\{{{name}[^}}]*\}}", TEXT)
    assert uses
    assert all(use.startswith(f"${{{name}:?set it in .env") for use in uses)
    assert name in (ROOT / "docs/team.md").read_text()


def test_no_password_is_written_down() -> None:
    pairs = [pair for service in SERVICES.values() for pair in service.get("environment", {}).items()]
    pairs += re.findall(r'"(accessKey|secretKey)": "([^"]*)"', COMPOSE["configs"]["s3"]["content"])
    secret = [value for key, value in pairs if SECRET.search(key)]
    assert len(secret) > 5
    assert all(value.startswith("${") for value in secret)
    assert not re.search(r"://[^/\s]*:[^/\s]*@", TEXT), "no login in a URI"
    assert "/.env" in (ROOT / ".gitignore").read_text().splitlines()


def test_only_the_server_is_reached_and_by_default_from_this_machine() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports == {"server": ["${MLFLOW_ADDRESS:-127.0.0.1}:5000:5000"]}
    assert "--disable-security-middleware" not in TEXT
    hosts = SERVICES["server"]["environment"]["MLFLOW_SERVER_ALLOWED_HOSTS"]
    assert hosts == "${MLFLOW_HOSTS:-localhost:5000,127.0.0.1:5000}"


def test_images_are_pinned_and_mlflow_is_the_lock_files() -> None:
    for name, service in SERVICES.items():
        assert re.fullmatch(r"[\w/-]+:\d[\w.-]*\d[\w.-]*", service["image"]), name
    locked = dict(re.findall(r"^([\w-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    installed = re.findall(r"([\w-]+)==([\w.]+)", SERVICES["server"]["build"]["dockerfile_inline"])
    assert {name for name, _ in installed} == {"mlflow", "psycopg2-binary", "boto3"}
    assert all(locked[name] == version for name, version in installed)
    assert SERVICES["server"]["image"] == f"fcn-mlflow:{locked['mlflow']}"


def test_the_server_waits_for_its_tables_its_bucket_and_healthy_stores() -> None:
    waits = {name: service.get("depends_on", {}) for name, service in SERVICES.items()}
    assert {name: wait["condition"] for name, wait in waits["server"].items()} == {
        "schema": "service_completed_successfully",
        "bucket": "service_completed_successfully",
        "database": "service_healthy",
        "files": "service_healthy",
    }
    assert waits["schema"] == {"database": {"condition": "service_healthy"}}
    assert waits["bucket"] == {"files": {"condition": "service_healthy"}}
    for name, service in SERVICES.items():
        assert ("healthcheck" in service) == (name not in ONCE), name
        assert ("restart" in service) == (name not in ONCE), name


def test_what_must_last_lies_in_named_volumes() -> None:
    used = [mount.partition(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])]
    assert sorted(used) == sorted(COMPOSE["volumes"]) == ["database", "files"]
