"""All checks, side by side; what they find comes in their order, and without a secret word."""

from __future__ import annotations

import queue
import threading
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import yaml

from ops._doctor import archives, device, disk, git, locks, remote, runtime, secret, store
from ops._doctor.finding import FIX, Check, Finding, Params
from pipeline.core.types import Refusal
from stages.shared.dvc import LOADER

CHECKS: dict[str, Check] = {
    "python": runtime.python,
    "runtime": runtime.packages,
    "torch": device.check,
    "git": git.check,
    "disk": disk.check,
    "archives": archives.check,
    "locks": locks.check,
    "secrets": secret.check,
    "remote": remote.check,
    "mlflow": store.check,
}


def examine(root: Path, names: Collection[str], *, mend: bool = False) -> Iterator[Finding]:
    """What the checks ``names`` (all, where none is named) find in the repository ``root``, one after another.

    Raises Refusal where ``root`` has no params.yaml, or one that is none.
    """
    params = _params(root)
    secrets = secret.words(root)
    checks = {name: check for name, check in CHECKS.items() if not names or name in names}
    if "locks" in checks:
        checks["locks"] = partial(locks.check, mend=mend)
    found: dict[str, queue.SimpleQueue[Finding | None]] = {name: queue.SimpleQueue() for name in checks}
    for name, check in checks.items():
        threading.Thread(target=_run, args=(name, check, root, params, found[name]), daemon=True).start()
    for findings in found.values():
        while (finding := findings.get()) is not None:
            yield replace(finding, text=secret.masked(finding.text, secrets))


def _run(name: str, check: Check, root: Path, params: Params, found: queue.SimpleQueue[Finding | None]) -> None:
    try:
        for finding in check(root, params):
            found.put(finding)
    except Refusal as refusal:
        found.put(Finding(name, FIX, str(refusal)))
    except Exception as error:  # one broken check must not hide the others
        found.put(Finding(name, FIX, f"this check failed itself: {type(error).__name__}: {error}"))
    finally:
        found.put(None)


def _params(root: Path) -> Params:
    try:
        params = yaml.load((root / "params.yaml").read_text(encoding="utf-8"), Loader=LOADER)
    except FileNotFoundError:
        raise Refusal(f"no params.yaml in {root}: run fcn doctor in the root of a clone") from None
    except yaml.YAMLError as error:
        raise Refusal(f"params.yaml: {' '.join(str(error).split())}: python -m ops.compose writes it anew") from None
    if not isinstance(params, dict) or not isinstance(params.get("runtime"), dict):
        raise Refusal("params.yaml has no runtime: python -m ops.compose writes it anew")
    return params
