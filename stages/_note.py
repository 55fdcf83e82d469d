"""A run's note: what the stage did, from what, to what end, and how to have its weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.published.ours import METRICS, printed
from pipeline.tracking.written import Written
from stages.shared.dvc import Entry


def note(entry: Entry, before: Sequence[Entry], told: Written) -> str:
    """Markdown, a paragraph per sentence."""
    lines = [f"{entry.desc or entry.stage}."]
    if before:
        lines += [f"From {', '.join(other.stage for other in before)}."]
    return "\n\n".join([*lines, *_scores(entry.key, told), *_weights(entry)])


def _scores(recipe: str, told: Written) -> Iterator[str]:
    for name, curve in told.curves.items():
        if curve:
            yield f"{name} {curve[-1][1]:.4g} at iteration {curve[-1][0]}."
    heads = [name.removesuffix("/mean_iu") for name in told.metrics if name.endswith("/mean_iu")]
    for head in [head for head in heads if "/" not in head]:
        row = printed(recipe, head)
        scores = [
            f"{METRICS[name]} {100 * told.metrics[f'{head}/{name}']:.1f}"
            for name in METRICS
            if f"{head}/{name}" in told.metrics
        ]
        theirs = f" (published mean IU {row.mean_iu:.1f}, {row.source})" if row and row.mean_iu is not None else ""
        yield f"{head}, in percent: {', '.join(scores)}{theirs}."


def _weights(entry: Entry) -> Iterator[str]:
    """No commit is named: the one that brings this dvc.lock is made after the run. Git finds it by the hash."""
    for path, md5 in entry.outs.items():
        if path.endswith(".safetensors"):
            yield f"Weights: `dvc get . {path} --rev $(git log -S{md5} --format=%h -- dvc.lock | tail -1)`"
