"""Tell the request what a retraining changed: scores, classes, params, stages: fcn ci report [--base REV]."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import yaml

from pipeline import gate, tables
from pipeline.core.types import Refusal
from pipeline.published import ladder
from stages.shared.stage import Stage

DROP = 5.0  # points of a class's IU whose loss is told
FOLD = 20  # lines beyond which a list is folded


@dataclass(frozen=True, kw_only=True)
class State:
    """eval/*/metrics.json by recipe, params by dotted name, dvc.lock's entries by stage."""

    metrics: Mapping[str, Mapping[str, Any]]
    params: Mapping[str, str]
    lock: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Change:
    """A head's scores then and now, None where there were or are none; not all alike.

    ``points``: by how many percentage points mean IU rose; None where the images are not the same ones.
    """

    recipe: str
    head: str
    then: Mapping[str, Any] | None
    now: Mapping[str, Any] | None
    points: float | None

    @property
    def name(self) -> str:
        return self.recipe if self.head == "semantic" else f"{self.recipe}, {self.head}"


@click.command(cls=Stage)
@click.option("--base", metavar="REV", envvar="FCN_BASE", help="By default origin's default branch.  [env: FCN_BASE]")
def main(base: str | None) -> None:
    """Compare scores, params and stages with REV, or with HEAD~1 on REV itself, in one comment on the request."""
    from ops._git import asked
    from ops.ci import _forge
    from pipeline.tracking import uri

    root, host = Path.cwd(), _forge.forge(os.environ)
    base = base or asked(root, "rev-parse", "--abbrev-ref", "origin/HEAD") or "HEAD"
    base = "HEAD~1" if base in ("HEAD", f"origin/{host.branch}") else base
    parts = [describe(base, read(root, base), read(root))]
    if host.page:
        parts.append(f"Pictures: the artefact `results` of [this run]({host.page})")
    if (server := uri.chosen(root)).startswith(uri.HTTP):
        parts.append(f"Runs: {re.sub('//.*@', '//', server)}")  # without its password
    host.leave("report", "\n\n".join(parts))


def read(root: Path, revision: str | None = None) -> State:
    """The pipeline at ``revision``, or as it lies here. Raises Refusal for a revision that git does not know."""
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException

    from pipeline.tracking.record import dotted
    from stages.shared.dvc import LOADER

    def parsed(path: str) -> dict[str, Any]:
        return dict(yaml.load(tree.read_text(path), Loader=LOADER) or {}) if tree.isfile(path) else {}

    try:
        tree = DVCFileSystem(str(root), rev=revision)
        metrics, classes = (
            {path.split("/")[-2]: json.loads(tree.read_text(path)) for path in tree.glob(f"eval/*/{name}.json")}
            for name in ("metrics", "classes")
        )
        found = {recipe: gate.with_classes(one, classes.get(recipe, {})) for recipe, one in metrics.items()}
        return State(metrics=found, params=dotted(parsed("params.yaml")), lock=parsed("dvc.lock").get("stages") or {})
    except DvcException as error:
        raise Refusal(f"{error}: git fetch --unshallow, or give another --base") from None


def describe(base: str, then: State, now: State) -> str:
    """What changed from ``then`` to ``now``, as Markdown."""
    changed = list(changes(then, now))
    ran = [stage for stage, entry in now.lock.items() if then.lock.get(stage) != entry]
    names = [name for name in {**then.params, **now.params} if then.params.get(name) != now.params.get(name)]
    params = [f"`{name}`: {then.params.get(name, '–')} → {now.params.get(name, '–')}" for name in names]
    parts = [
        f"## What changed since `{base}`",
        _table(changed, len(now.metrics)),
        _list(f"Classes whose IU fell by more than {DROP:.0f} points", list(_drops(changed))),
        _list("Params", params),
        _list("Stages that ran", [f"`{stage}`" for stage in ran]),
    ]
    return "\n\n".join(part for part in parts if part)


def changes(then: State, now: State) -> Iterator[Change]:
    """In ladder order, of each recipe the semantic head first."""
    for recipe in sorted({*then.metrics, *now.metrics}, key=ladder.place):
        old, new = then.metrics.get(recipe, {}), now.metrics.get(recipe, {})
        comparable = all(old.get(name) == new.get(name) for name in ("ids_sha256", "scale"))
        heads = {head for scores in (old, new) for head in scores if isinstance(scores[head], Mapping)}
        for head in sorted(heads, key=lambda head: (head != "semantic", head)):
            before, after = old.get(head), new.get(head)
            points = 100 * (after["mean_iu"] - before["mean_iu"]) if before and after and comparable else None
            if before != after or not comparable:
                yield Change(recipe=recipe, head=head, then=before, now=after, points=points)


def _table(changed: Sequence[Change], recipes: int) -> str:
    same = recipes - len({change.recipe for change in changed if change.now})
    header = ("recipe", "mean IU", "points", "pixel acc.", "published mean IU")
    rows = tables.markdown(header, [_row(change) for change in changed])
    others = f"Recipes that score as before: {same}."
    return f"{rows}\n\nIn percent. {others}" if changed else others


def _row(change: Change) -> tuple[str, ...]:
    row = ladder.reference(change.recipe, change.head)
    theirs = "–" if row is None or row.mean_iu is None else f"{row.mean_iu:.1f}"
    missing = "gone" if change.now is None else "new" if change.then is None else "other images"
    points = missing if change.points is None else f"{change.points:+.1f}".replace("-", "−")
    return change.name, _arrow(change, "mean_iu"), points, _arrow(change, "pixel_acc"), theirs


def _arrow(change: Change, metric: str) -> str:
    then, now = (f"{100 * scores[metric]:.1f}" if scores else "–" for scores in (change.then, change.now))
    return now if change.then is None or then == now else f"{then} → {now}"


def _drops(changed: Sequence[Change]) -> Iterator[str]:
    for change in changed:
        then, now = ((scores or {}).get("iu", {}) for scores in (change.then, change.now))
        for name, iu in then.items() if change.points is not None else ():
            if iu is not None and now.get(name) is not None and 100 * (iu - now[name]) > DROP:
                yield f"{change.name}, {name}: {100 * iu:.1f} → {100 * now[name]:.1f}"


def _list(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    items = "\n".join(f"- {line}" for line in lines)
    folded = f"<details><summary>{title}: {len(lines)}</summary>\n\n{items}\n\n</details>"
    return folded if len(lines) > FOLD else f"**{title}**\n\n{items}"
