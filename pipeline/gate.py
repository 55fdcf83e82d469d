"""Judge an evaluation before its weights are promoted: against floors, against the champion, and on its proof."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipeline import tables
from pipeline.thresholds import Thresholds

NAMED = 3  # classes that a reason names; the others are counted
ROUNDING = 1e-12  # 0.4 − 0.3 is more than 0.1 by 3e-17


@dataclass(frozen=True, kw_only=True)
class Champion:
    """A version of a registered model and its metrics.json, empty for one that `fcn promote` did not make."""

    version: str
    metrics: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One question and its answer; ``limit`` is what ``candidate`` is held to, None where no number is."""

    name: str
    passed: bool
    reason: str
    head: str = ""
    judged: bool = True
    candidate: float | None = None
    champion: float | None = None
    limit: float | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    checks: tuple[Check, ...]
    thresholds: Thresholds

    @property
    def passed(self) -> bool:
        """Whether every check passed that is judged; there must be one."""
        judged = [check.passed for check in self.checks if check.judged]
        return bool(judged) and all(judged)

    def to_json(self) -> dict[str, Any]:
        """Plain values, equal for equal inputs."""
        return {
            "passed": self.passed,
            "checks": [asdict(check) for check in self.checks],
            "thresholds": asdict(self.thresholds),
        }


def judge(
    candidate: Mapping[str, Any],
    champion: Mapping[str, Any] | None,
    thresholds: Thresholds,
    unproved: Mapping[str, str],
) -> Verdict:
    """Judge the contents of two ``eval/<recipe>/metrics.json``; without a champion the comparisons fall away.

    ``unproved`` says for each stage of ``thresholds.proofs`` why it is not proved, nothing where it is. What is absent,
    NaN or no fraction fails its check: a gate that cannot see stays shut.
    """
    heads = [*thresholds.heads, *sorted(_heads(candidate) - {*thresholds.heads})]
    checks = [check for head in heads for check in _head(head, candidate, champion, thresholds)]
    checks += [_same("ids_sha256", candidate, champion), _same("scale", candidate, champion)]
    checks += [_proof(stage, unproved.get(stage, "nobody looked for its proof")) for stage in thresholds.proofs]
    return Verdict(checks=tuple(checks), thresholds=thresholds)


def table(checks: Sequence[Mapping[str, Any]]) -> str:
    """A verdict's checks, as ``to_json`` gives them, as a Markdown table."""
    return tables.markdown(("check", "verdict", "reason"), [_row(check) for check in checks])


def _row(check: Mapping[str, Any]) -> tuple[str, str, str]:
    verdict = "pass" if check["passed"] else "FAIL"
    name = f"{check['head']}/{check['name']}" if check["head"] else check["name"]
    return name, verdict if check["judged"] else f"({verdict})", check["reason"]


def _heads(metrics: Mapping[str, Any]) -> set[str]:
    return {name for name, value in metrics.items() if isinstance(value, Mapping)}


def _head(
    head: str, candidate: Mapping[str, Any], champion: Mapping[str, Any] | None, thresholds: Thresholds
) -> Iterator[Check]:
    judged = head in thresholds.heads
    ours = _fraction(_scores(candidate, head).get("mean_iu"))
    passed = ours is not None and ours >= thresholds.floor
    reason = f"mean IU {_told(ours)}, {'at least' if passed else 'not'} the floor of {thresholds.floor:.3f}"
    yield Check(
        name="floor", head=head, judged=judged, passed=passed, reason=reason, candidate=ours, limit=thresholds.floor
    )
    if champion is None:
        return
    theirs = _fraction(_scores(champion, head).get("mean_iu"))
    passed = ours is not None and theirs is not None and theirs - ours <= thresholds.tolerance + ROUNDING
    yield Check(
        name="mean_iu",
        head=head,
        judged=judged,
        passed=passed,
        reason=f"mean IU {_told(ours)} beside the champion's {_told(theirs)}, "
        f"{'within' if passed else 'not within'} the tolerance of {thresholds.tolerance:.3f}",
        candidate=ours,
        champion=theirs,
        limit=None if theirs is None else theirs - thresholds.tolerance,
    )
    yield _classes(head, judged, _scores(candidate, head), _scores(champion, head), thresholds.class_drop)


def _classes(head: str, judged: bool, ours: Mapping[str, Any], theirs: Mapping[str, Any], most: float) -> Check:
    """The class that lost most of its IU; ``candidate`` is what it lost."""
    lost, unseen = _lost(ours, theirs)
    worst = sorted(lost, key=lambda name: (-lost[name], name))
    beyond = [f"{name} ({lost[name]:.3f})" for name in worst if lost[name] > most + ROUNDING]
    if unseen:
        reason = f"no IU to compare of {_list(unseen)}"
    elif not worst:
        reason = "no class to compare"
    elif beyond:
        reason = f"lost more than {most:.3f} of IU: {_list(beyond)}"
    else:
        reason = f"no class lost more than {most:.3f} of IU, {worst[0]} most ({max(lost[worst[0]], 0.0):.3f})"
    return Check(
        name="classes",
        head=head,
        judged=judged,
        passed=bool(worst) and not unseen and not beyond,
        reason=reason,
        candidate=lost[worst[0]] if worst else None,
        limit=most,
    )


def _lost(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> tuple[dict[str, float], list[str]]:
    """What each class lost, negative where it gained, and the classes whose IU is missing or no fraction.

    A class without a true pixel in the champion's evaluation, or in both, has nothing to lose; one that vanished from
    the candidate's has lost all it had.
    """
    before, now = _mapping(theirs.get("iu")), _mapping(ours.get("iu"))
    lost: dict[str, float] = {}
    unseen: list[str] = []
    for name in dict.fromkeys([*before, *now]):
        was, found = _fraction(before.get(name)), _fraction(now.get(name))
        if name not in before or name not in now:
            unseen.append(name)
        elif before[name] is None and (now[name] is None or found is not None):
            continue
        elif was is not None and now[name] is None:
            lost[name] = was
        elif was is None or found is None:
            unseen.append(name)
        else:
            lost[name] = was - found
    return lost, unseen


def _same(key: str, candidate: Mapping[str, Any], champion: Mapping[str, Any] | None) -> Check:
    ours = candidate.get(key)
    theirs = ours if champion is None else champion.get(key)
    one, other = str(ours)[:12], str(theirs)[:12]
    if not isinstance(ours, str) or not ours:
        return Check(name=key, passed=False, reason=f"{one}: the evaluation does not tell it")
    passed = ours == theirs
    reason = f"{one}, as the champion's" if passed else f"{one}, the champion's {other}: their scores do not compare"
    return Check(name=key, passed=passed, reason=one if champion is None else reason)


def _proof(stage: str, reason: str) -> Check:
    return Check(name=f"proof of {stage}", passed=not reason, reason=reason or "a second run gave the same bytes")


def _scores(metrics: Mapping[str, Any], head: str) -> Mapping[str, Any]:
    return _mapping(metrics.get(head))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _fraction(value: Any) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and 0 <= value <= 1 else None  # NaN is not


def _told(value: float | None) -> str:
    return "missing" if value is None else f"{value:.3f}"


def _list(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
