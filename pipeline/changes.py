"""What changed between two states of the pipeline, as Markdown: scores, classes, params, stages."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pipeline import tables
from pipeline.published import ladder

DROP = 5.0  # points of a class's IU whose loss is told
FOLD = 20  # lines beyond which a list is folded
HEADER = ("recipe", "mean IU", "points", "pixel acc.", "published mean IU")

Scores = Mapping[str, Any]  # of one head; empty where there are none


class State(NamedTuple):
    """eval/*/metrics.json by recipe with IUs by class, params by dotted name, dvc.lock's entries by stage."""

    metrics: Mapping[str, Scores]
    params: Mapping[str, str]
    lock: Mapping[str, Any]


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
    published = ladder.reference(recipe, head)
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
