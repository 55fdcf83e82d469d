"""What CI runs, each step also on a desk: fcn ci plan | run | push | commit | report | gate | promote."""

from __future__ import annotations

import click

from ops.ci import commit, gate, plan, promote, push, report, run


@click.group()
def main() -> None:
    """The steps of .github/workflows/retrain.yml and .gitlab-ci.yml, in their order."""


for module in (plan, run, push, commit, report, gate, promote):
    main.add_command(module.main, module.__name__.rpartition(".")[2])
