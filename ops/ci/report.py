"""Tell the request what a retraining changed: scores, classes, params, stages: fcn ci report [--base REV]."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import yaml

from pipeline import tables
from pipeline.core.types import Refusal
from pipeline.published import ladder
from pipeline.published.ours import printed
from stages.shared.dvc import LOADER, canonical, flat
from stages.shared.stage import Stage

DROP = 5.0  # points of a class's IU whose loss is told
FOLD = 20  # lines beyond which a list is folded
Scores = Mapping[str, Any]  # of one head; empty where there are none
HEADER = ("recipe", "mean IU", "points", "pixel acc.", "published mean IU")


class State(NamedTuple):
    """eval/*/metrics.json by recipe, params by dotted name, dvc.lock's entries by stage."""

    metrics: Mapping[str, Scores]
    params: Mapping[str, str]
    lock: Mapping[str, Any]


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

    def parsed(path: str) -> dict[str, Any]:
        return dict(yaml.load(tree.read_text(path), Loader=LOADER) or {}) if tree.isfile(path) else {}

    try:
        tree = DVCFileSystem(str(root), rev=revision)
        found = {path.split("/")[-2]: json.loads(tree.read_text(path)) for path in tree.glob("eval/*/metrics.json")}
        params = {name: canonical(value) for name, value in flat(parsed("params.yaml")).items()}
        return State(found, params, parsed("dvc.lock").get("stages") or {})
    except DvcException as error:
        raise Refusal(f"{error}: git fetch --unshallow, or give another --base") from None


def describe(base: str, then: State, now: State) -> str:
    """What changed from ``then`` to ``now``, as Markdown; recipes in ladder order, of each the semantic head first."""
    rows, drops, same = [], [], 0
    for recipe in sorted({*then.metrics, *now.metrics}, key=ladder.place):
        old, new = then.metrics.get(recipe, {}), now.metrics.get(recipe, {})
        comparable = all(old.get(name) == new.get(name) for name in ("ids_sha256", "scale"))
        heads = {head for scores in (old, new) for head in scores if isinstance(scores[head], Mapping)}
        changed = [head for head in heads if old.get(head) != new.get(head) or not comparable]
        same += bool(new) and not changed
        for head in sorted(changed, key=lambda head: (head != "semantic", head)):
            before, after = old.get(head, {}), new.get(head, {})
            rows.append(_row(recipe, head, before, after, comparable))
            drops += _drops(rows[-1][0], before.get("iu", {}), after.get("iu", {})) if comparable else []
    names = [name for name in {**then.params, **now.params} if then.params.get(name) != now.params.get(name)]
    table = f"{tables.markdown(HEADER, rows)}\n\nIn percent. " if rows else ""
    parts = [
        f"## What changed since `{base}`",
        f"{table}Recipes that score as before: {same}.",
        _list(f"Classes whose IU fell by more than {DROP:.0f} points", drops),
        _list("Params", [f"`{name}`: {then.params.get(name, '–')} → {now.params.get(name, '–')}" for name in names]),
        _list("Stages that ran", [f"`{stage}`" for stage, row in now.lock.items() if then.lock.get(stage) != row]),
    ]
    return "\n\n".join(part for part in parts if part)


def _row(recipe: str, head: str, then: Scores, now: Scores, comparable: bool) -> tuple[str, ...]:
    """Of ``HEADER``; points are told of the same images alone."""
    published = printed(recipe, head)
    theirs = "–" if published is None or published.mean_iu is None else f"{published.mean_iu:.1f}"
    points = "gone" if not now else "new" if not then else "other images"
    if then and now and comparable:
        points = f"{100 * (now['mean_iu'] - then['mean_iu']):+.1f}".replace("-", "−")
    name = recipe if head == "semantic" else f"{recipe}, {head}"
    return name, _arrow(then, now, "mean_iu"), points, _arrow(then, now, "pixel_acc"), theirs


def _arrow(then: Scores, now: Scores, metric: str) -> str:
    before, after = (f"{100 * scores[metric]:.1f}" if scores else "–" for scores in (then, now))
    return after if not then or before == after else f"{before} → {after}"


def _drops(name: str, then: Scores, now: Scores) -> list[str]:
    both = [(each, iu, now[each]) for each, iu in then.items() if iu is not None and now.get(each) is not None]
    return [f"{name}, {each}: {100 * a:.1f} → {100 * b:.1f}" for each, a, b in both if 100 * (a - b) > DROP]


def _list(title: str, lines: Sequence[str]) -> str:
    items = "\n".join(f"- {line}" for line in lines)
    folded = f"<details><summary>{title}: {len(lines)}</summary>\n\n{items}\n\n</details>"
    return folded if len(lines) > FOLD else f"**{title}**\n\n{items}" if lines else ""
