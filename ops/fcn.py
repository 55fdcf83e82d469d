"""The ``fcn`` command: what people and CI do around ``dvc repro``."""

from __future__ import annotations

import click

from ops import data, export, predict, run, verify


@click.group()
def main() -> None:
    """Around `dvc repro`."""


main.add_command(data.main, "data")
main.add_command(export.main, "export")
main.add_command(predict.main, "predict")
main.add_command(run.main, "run")
main.add_command(verify.main, "verify")


if __name__ == "__main__":
    main()
