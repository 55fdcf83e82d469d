"""Scenes of a dozen pixels, so that every one can be said."""

import pytest

from pipeline.datasets.own import folder


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "LEAST", 1)
