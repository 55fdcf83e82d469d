"""docs/dataset.md, backbone.md and stage.md work when a person does what they say, and only that."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs import pages

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project that ran; each page ends with how to undo it, so the next one begins where this one did."""
    return pages.small(tmp_path_factory.mktemp("project"))


@pytest.mark.parametrize("page", ["dataset.md", "backbone.md", "stage.md"])
def test_whoever_follows_the_page_gets_what_it_shows(project: Path, page: str) -> None:
    pages.follow(page, project)
