"""Judge an evaluation before its weights are promoted: against floors, against the champion, and on its proofs.

``conf/gate.yaml`` says what is asked, by scale and data set.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline import tables
from pipeline.core import fields
from pipeline.core.types import Refusal

DEFAULTS, CANDIDATE = "defaults", "candidate"
NAMED = 3  # classes that a reason names; the others are counted
ROUNDING = 1e-12  # 0.4 − 0.3 is more than 0.1 by 3e-17

Scores = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """All numbers are fractions in [0, 1).

    ``floor`` is the least mean IU, ``tolerance`` how much mean IU and ``class_drop`` how much of one class's IU may be
    lost to the champion. ``heads`` decide, others are only reported; ``proofs`` are the stages (``train``,
    ``evaluate``) that must have come out the same twice.
    """

    floor: float = fields.bounded(least=0.0, below=1.0)
    tolerance: float = fields.bounded(least=0.0, below=1.0)
    class_drop: float = fields.bounded(least=0.0, below=1.0)
    heads: tuple[str, ...]
    proofs: tuple[str, ...]

    @classmethod
    def read(cls, path: Path, scale: str, dataset: str) -> "Thresholds":
        """The row ``<scale>.<dataset>`` of the YAML file over its ``defaults``, which serve where there is none.

        Every row is checked, so that a slip in one is seen before it matters. Raises Refusal naming file, key and
        remedy.
        """
        defaults, rows = _tree(path)
        found = {(DEFAULTS, ""): fields.read(cls, f"{path.name}: {DEFAULTS}", defaults)}
        for (group, key), row in rows.items():
            own = {name: value for name, value in row.items() if name != CANDIDATE}
            found[group, key] = fields.read(cls, f"{path.name}: {group}.{key}", {**defaults, **own})
        return found.get((scale, dataset), found[DEFAULTS, ""])


def candidates(path: Path, scale: str) -> list[str]:
    """The recipes that CI offers for promotion at ``scale``: each row's ``candidate``, where it names one.

    Raises Refusal as ``Thresholds.read`` does.
    """
    Thresholds.read(path, scale, "")
    return [str(row[CANDIDATE]) for (group, _), row in _tree(path)[1].items() if group == scale and CANDIDATE in row]


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
        return {"passed": self.passed, **asdict(self), "checks": [asdict(check) for check in self.checks]}


def with_classes(metrics: Scores, classes: Scores) -> dict[str, Any]:
    """An evaluation's metrics.json, each head with what its classes.json says of it: ``iu`` by class."""
    return {name: {**_mapping(one), **classes[name]} if name in classes else one for name, one in metrics.items()}


def judge(candidate: Scores, champion: Scores | None, thresholds: Thresholds, unproved: Mapping[str, str]) -> Verdict:
    """Judge two evaluations, their metrics ``with_classes``; without a champion the comparisons fall away.

    ``unproved`` says for each stage of ``thresholds.proofs`` why it is not proved, nothing where it is. What is absent,
    NaN or no fraction fails its check: a gate that cannot see stays shut.
    """
    found = {name for name, value in candidate.items() if isinstance(value, Mapping)}
    heads = [*thresholds.heads, *sorted(found - {*thresholds.heads})]
    checks = [check for head in heads for check in _head(head, candidate, champion, thresholds)]
    checks += [_same(key, candidate, champion) for key in ("ids_sha256", "scale")]
    for stage in thresholds.proofs:
        reason = unproved.get(stage, "nobody looked for its proof")
        proved = "a second run gave the same bytes"
        checks.append(Check(name=f"proof of {stage}", passed=not reason, reason=reason or proved))
    return Verdict(checks=tuple(checks), thresholds=thresholds)


def table(checks: Sequence[Mapping[str, Any]]) -> str:
    """A verdict's checks, as ``to_json`` gives them, as a Markdown table."""
    rows = []
    for check in checks:
        verdict = "pass" if check["passed"] else "FAIL"
        name = f"{check['head']}/{check['name']}" if check["head"] else check["name"]
        rows.append((name, verdict if check["judged"] else f"({verdict})", check["reason"]))
    return tables.markdown(("check", "verdict", "reason"), rows)


def _head(head: str, candidate: Scores, champion: Scores | None, thresholds: Thresholds) -> Iterator[Check]:
    ours, theirs = (_mapping(scores.get(head)) for scores in (candidate, champion or {}))
    mean, before = _fraction(ours.get("mean_iu")), _fraction(theirs.get("mean_iu"))
    shared: dict[str, Any] = {"head": head, "judged": head in thresholds.heads, "candidate": mean}
    passed = mean is not None and mean >= thresholds.floor
    reason = f"mean IU {_number(mean)}, {'at least' if passed else 'not'} the floor of {thresholds.floor:.3f}"
    yield Check(**shared, name="floor", passed=passed, reason=reason, limit=thresholds.floor)
    if champion is None:
        return
    passed = mean is not None and before is not None and before - mean <= thresholds.tolerance + ROUNDING
    reason = f"mean IU {_number(mean)} beside the champion's {_number(before)}, {'within' if passed else 'not within'}"
    reason += f" the tolerance of {thresholds.tolerance:.3f}"
    limit = None if before is None else before - thresholds.tolerance
    yield Check(**shared, name="mean_iu", passed=passed, reason=reason, champion=before, limit=limit)
    passed, reason, most_lost = _classes(_mapping(ours.get("iu")), _mapping(theirs.get("iu")), thresholds.class_drop)
    shared |= {"candidate": most_lost, "limit": thresholds.class_drop}
    yield Check(**shared, name="classes", passed=passed, reason=reason)


def _classes(ours: Scores, theirs: Scores, most: float) -> tuple[bool, str, float | None]:
    """Whether no class lost more IU than ``most``, why, and what the one lost that lost most."""
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
    return bool(worst) and not unseen and not beyond, reason, lost[worst[0]] if worst else None


def _lost(ours: Scores, theirs: Scores) -> tuple[dict[str, float], list[str]]:
    """What each class lost, negative where it gained, and the classes whose IU is missing or no fraction.

    A class without a true pixel in the champion's evaluation, or in both, has nothing to lose; one that vanished from
    the candidate's has lost all it had.
    """
    lost: dict[str, float] = {}
    unseen: list[str] = []
    for name in dict.fromkeys([*theirs, *ours]):
        before, now = _fraction(theirs.get(name)), _fraction(ours.get(name))
        vanished = name in ours and ours[name] is None
        if name in theirs and theirs[name] is None and (vanished or now is not None):
            continue
        if before is None or not (vanished or now is not None):
            unseen.append(name)
        else:
            lost[name] = before - (now or 0.0)
    return lost, unseen


def _same(key: str, candidate: Scores, champion: Scores | None) -> Check:
    ours = candidate.get(key)
    theirs = ours if champion is None else champion.get(key)
    one, other = str(ours)[:12], str(theirs)[:12]
    if not isinstance(ours, str) or not ours:
        return Check(name=key, passed=False, reason=f"{one}: the evaluation does not say it")
    passed = ours == theirs
    reason = f"{one}, as the champion's" if passed else f"{one}, the champion's {other}: their scores do not compare"
    return Check(name=key, passed=passed, reason=one if champion is None else reason)


def _tree(path: Path) -> tuple[Mapping[str, Any], dict[tuple[str, str], Mapping[str, Any]]]:
    """The defaults of gate.yaml, and its rows by scale and data set."""
    try:
        tree = _mapped(path.name, yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise Refusal(f"no {path}: it says what a promotion must reach; `git checkout` it") from None
    except yaml.YAMLError as error:
        raise Refusal(f"{path} is no YAML ({' '.join(str(error).split())}): mend it") from None
    defaults = _mapped(f"{path.name}: {DEFAULTS}", tree.get(DEFAULTS))
    groups = {group: _mapped(f"{path.name}: {group}", rows) for group, rows in tree.items() if group != DEFAULTS}
    cells = ((group, key, row) for group, rows in groups.items() for key, row in rows.items())
    return defaults, {(group, key): _mapped(f"{path.name}: {group}.{key}", row) for group, key, row in cells}


def _mapped(name: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Refusal(f"{name} is {value!r}: write a map")
    return value


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _fraction(value: Any) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and 0 <= value <= 1 else None  # NaN is not


def _number(value: float | None) -> str:
    return "missing" if value is None else f"{value:.3f}"


def _list(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
