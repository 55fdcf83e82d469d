"""The ``fcn`` command: what people and CI do around ``dvc repro``."""

from __future__ import annotations

import click

from ops import (
    backfill,
    data,
    doctor,
    export,
    gate,
    gc,
    history,
    lineage,
    new,
    plan,
    predict,
    promote,
    report,
    rollback,
    run,
    submit,
    sync,
    time,
    ui,
    verify,
)
from ops.ci import ci


@click.group()
def main() -> None:
    """Around `dvc repro`."""


main.add_command(backfill.main, "backfill")
main.add_command(ci.main, "ci")
main.add_command(data.main, "data")
main.add_command(doctor.main, "doctor")
main.add_command(export.main, "export")
main.add_command(gate.main, "gate")
main.add_command(gc.main, "gc")
main.add_command(history.main, "history")
main.add_command(lineage.main, "lineage")
main.add_command(new.main, "new")
main.add_command(plan.main, "plan")
main.add_command(predict.main, "predict")
main.add_command(promote.main, "promote")
main.add_command(report.main, "report")
main.add_command(rollback.main, "rollback")
main.add_command(run.main, "run")
main.add_command(submit.main, "submit")
main.add_command(sync.main, "sync")
main.add_command(time.main, "time")
main.add_command(ui.main, "ui")
main.add_command(verify.main, "verify")


if __name__ == "__main__":
    main()
