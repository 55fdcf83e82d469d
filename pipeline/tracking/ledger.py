"""A registered model's history as a page: its versions, and the moves of its champion."""

from __future__ import annotations

from mlflow.entities.model_registry import ModelVersion

from pipeline import tables
from pipeline.tracking.moves import Aliases, Move
from pipeline.tracking.registry import History

SCORE = "/mean_iu"  # ends the tags that hold a head's score


def page(history: History) -> str:
    """Two Markdown tables, the oldest rows first; digests and commits by their first digits."""
    versions = tables.markdown(
        ("version", "alias", "recipe", "mean IU", "gate", "by", "at", "commit"),
        [_version(version, history.aliases) for version in history.versions],
    )
    moved = tables.markdown(("move", "from", "to", "by", "at", "gate", "why"), [_move(move) for move in history.moves])
    return f"{versions}\n\n{moved}"


def _version(version: ModelVersion, now: Aliases) -> tuple[str, ...]:
    tags, number = version.tags, str(version.version)
    alias = "champion" if number == now.champion else "previous" if number == now.previous else ""
    scores = [f"{name.removesuffix(SCORE)} {float(tags[name]):.3f}" for name in sorted(tags) if name.endswith(SCORE)]
    gate = f"{'forced ' if tags.get('forced') else ''}{tags.get('gate.sha256', '')[:8]}"
    commit = tags.get("git.commit", "")[:7] + ("+" if tags.get("git.dirty") == "true" else "")
    return (
        number,
        alias,
        tags.get("recipe", ""),
        ", ".join(scores),
        gate,
        tags.get("promoted.by", ""),
        tags.get("promoted.at", ""),
        commit,
    )


def _move(move: Move) -> tuple[str, ...]:
    kind = move.kind if move.done else f"{move.kind} (begun)"
    return kind, move.before or "none", move.after, move.who, move.when, move.gate[:8], move.why
