"""Tell the request what a retraining changed: scores, classes, params, stages: fcn ci report [--base REV]."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import click
import yaml

from pipeline.changes import State, describe
from pipeline.core.types import Refusal
from stages.shared.dvc import LOADER, canonical, flat
from stages.shared.stage import Stage


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
