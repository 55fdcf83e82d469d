"""A tracking database as an earlier MLflow left it."""

from __future__ import annotations

import warnings
from pathlib import Path

import sqlalchemy
from alembic import command
from alembic.script import ScriptDirectory
from mlflow.store.db import utils
from mlflow.store.tracking.dbmodels.initial_models import Base


def older(path: Path) -> str:
    """Write the tables of the revision before MLflow's latest; returns that revision."""
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    config = utils._get_alembic_config("")
    script = ScriptDirectory.from_config(config)
    (head,) = script.get_heads()
    before = str(script.get_revision(head).down_revision)
    Base.metadata.create_all(engine)
    with engine.begin() as connection, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # alembic's, of MLflow's migrations
        config.attributes["connection"] = connection
        command.upgrade(config, before)
    engine.dispose()
    return before
