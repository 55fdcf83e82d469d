"""What a retraining changed against a revision of git, as Markdown for a pull request: scores, params, stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ops.ci import _links, _panels, _scores, _since
from ops.ci._panels import Pair, Panel
from ops.ci._scores import Change
from ops.ci._since import State
from pipeline import tables
from pipeline.published.ours import printed
from stages.shared.dvc import Entry

BOLD = 0.5  # points of mean IU beyond which a change stands out
DROP = 5.0  # points of a class's IU whose loss is told
FOLD = 20  # lines beyond which a list is folded
MOST = 300  # lines of a list


def report(root: Path, base: str | None, pictures: str | None) -> str:
    """``root``'s work tree beside ``base``; without one, what it holds.

    ``pictures`` stands before the names of ``chosen``'s files; None: no pictures. Raises Refusal for a ``base`` that
    git does not know.
    """
    before, after = _since.at(root, base) if base else State(), _since.here(root)
    changed, ran = _scores.changes(before, after), _ran(before, after)
    parts = [
        f"## What changed since `{base}`" if base else "## Scores",
        _table(changed, len(after.metrics), bool(base)),
        _drops(changed),
        _pictures(_panels.pairs(root, base, changed), pictures) if pictures else "",
        _params(before.params, after.params) if base else "",
        _stages(ran, _links.links(root, ran) if ran else {}),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def chosen(root: Path, base: str | None) -> Mapping[str, bytes]:
    """The pictures of ``report``, by file name."""
    before = _since.at(root, base) if base else State()
    return _panels.files(_panels.pairs(root, base, _scores.changes(before, _since.here(root))))


def _ran(before: State, after: State) -> list[Entry]:
    """The entries with other inputs than before, or none."""
    then = {stage: entry.inputs for stage, entry in before.entries.items()}
    return [entry for entry in after.entries.values() if then.get(entry.stage) != entry.inputs]


def _table(changed: Sequence[Change], recipes: int, compared: bool) -> str:
    same = recipes - len({change.recipe for change in changed if change.after})
    others = f"{same} recipes score as before." if same != 1 else "One recipe scores as before."
    if not changed:
        return others if recipes else "Nothing is evaluated."
    header = ("recipe", "mean IU", "points", "pixel acc.", "published mean IU")
    rows = tables.markdown(header, [_row(change, compared) for change in changed])
    return f"{rows}\n\nIn percent. {others}" if same else f"{rows}\n\nIn percent."


def _row(change: Change, compared: bool) -> tuple[str, ...]:
    row = printed(change.recipe, change.head)
    theirs = "–" if row is None or row.mean_iu is None else f"{row.mean_iu:.1f}"
    return change.name, _arrow(change, "mean_iu"), _points(change, compared), _arrow(change, "pixel_acc"), theirs


def _arrow(change: Change, metric: str) -> str:
    then, now = (f"{100 * scores[metric]:.1f}" if scores else "–" for scores in (change.before, change.after))
    return now if change.before is None or then == now else f"{then} → {now}"


def _points(change: Change, compared: bool) -> str:
    points = change.points
    if points is None:
        told = "gone" if change.after is None else "new" if change.before is None else "other images"
        return told if compared else "–"
    text = f"{points:+.1f}".replace("-", "−")
    return f"**{text}**" if abs(points) > BOLD else text


def _drops(changed: Sequence[Change]) -> str:
    lines = [
        f"- {change.name}, {name}: {then:.1f} → {now:.1f}"
        for change in changed
        for name, then, now in change.dropped(DROP)
    ]
    return _folded(f"Classes whose IU fell by more than {DROP:.0f} points: {len(lines)}", lines) if lines else ""


def _params(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return _list("Params", [f"- `{name}`: {before.get(name, '–')} → {after.get(name, '–')}" for name in names])


def _stages(ran: Sequence[Entry], links: Mapping[str, str]) -> str:
    told = [f"[`{entry.stage}`]({links[entry.stage]})" if entry.stage in links else f"`{entry.stage}`" for entry in ran]
    return _list("Stages that ran", [f"- {name}" for name in told])


def _pictures(pairs: Sequence[Pair], prefix: str) -> str:
    if not pairs:
        return ""
    rows = [(pair.recipe, _image(pair.before, prefix), _image(pair.after, prefix)) for pair in pairs]
    return f"Image, label, prediction and error:\n\n{tables.markdown(('recipe', 'before', 'after'), rows)}"


def _image(panel: Panel | None, prefix: str) -> str:
    return f"![{panel.name.rpartition('-')[0]}]({prefix}/{panel.name})" if panel else "–"


def _list(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    if len(lines) > FOLD:
        return _folded(f"{title}: {len(lines)}", lines)
    return "\n".join([f"**{title}**", "", *lines])


def _folded(title: str, lines: Sequence[str]) -> str:
    more = [f"- {len(lines) - MOST} more"] if len(lines) > MOST else []
    return "\n".join([f"<details><summary>{title}</summary>", "", *lines[:MOST], *more, "", "</details>"])
