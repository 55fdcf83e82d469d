"""A registered model's history as a page: its versions, and the moves of its champion."""

from __future__ import annotations

from mlflow.entities.model_registry import ModelVersion

from pipeline import tables
from pipeline.registry.champion import History, Move

SCORE = "/mean_iu"  # ends the tags that hold a head's score


def page(history: History) -> str:
    """Two Markdown tables, the oldest rows first; digests and commits by their first digits."""
    versions = tables.markdown(
        ("version", "alias", "recipe", "mean IU", "forced", "commit"),
        [_version(version, history) for version in history.versions],
    )
    moves = tables.markdown(("move", "from", "to", "by", "at", "gate", "why"), [_move(move) for move in history.moves])
    return f"{versions}\n\n{moves}"


def _version(version: ModelVersion, now: History) -> tuple[str, ...]:
    tags, number = version.tags, str(version.version)
    alias = "champion" if number == now.champion else "previous" if number == now.previous else ""
    scores = [f"{name.removesuffix(SCORE)} {float(tags[name]):.3f}" for name in sorted(tags) if name.endswith(SCORE)]
    commit = tags.get("git.commit", "")[:7] + ("+" if tags.get("git.dirty") == "true" else "")
    return number, alias, tags.get("recipe", ""), ", ".join(scores), tags.get("forced", ""), commit


def _move(move: Move) -> tuple[str, ...]:
    return move.kind, move.before or "none", move.after, move.who, move.when[:19], move.gate[:8], move.why
