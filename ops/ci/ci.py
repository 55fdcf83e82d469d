"""What CI runs, each step also on a desk: fcn ci plan | run | push | commit | report | gate | promote."""

from __future__ import annotations

import click

from ops.ci import commit, gate, plan, promote, push, report, run


@click.group()
def main() -> None:
    """The steps of .github/workflows/retrain.yml and .gitlab-ci.yml, in their order."""


main.add_command(plan.main, "plan")
main.add_command(run.main, "run")
main.add_command(push.main, "push")
main.add_command(commit.main, "commit")
main.add_command(report.main, "report")
main.add_command(gate.main, "gate")
main.add_command(promote.main, "promote")
