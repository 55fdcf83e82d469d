"""The ``fcn`` command: what people and CI do around ``dvc repro``. A verb is the module of that name beside this."""

import ast
from importlib import import_module
from pathlib import Path

import click

HERE = Path(__file__).parent
NO_VERBS = ("compose", "fcn", "ladder")  # modules that `python -m` runs


class Verbs(click.Group):
    """A verb is imported once it is asked for: some load torch, MLflow or DVC, which take seconds."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every module here but those that begin with an underscore, and the folders of such."""
        found = {path.stem for path in HERE.glob("[!_]*.py")} | {path.parent.name for path in HERE.glob("ci/ci.py")}
        return sorted(found.difference(NO_VERBS))

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module("ops.ci.ci" if name == "ci" else f"ops.{name}").main
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Each verb with its module's first line, which is read and not run."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, _first_line(name)) for name in self.list_commands(ctx)])


def _first_line(name: str) -> str:
    path = HERE / "ci/ci.py" if name == "ci" else HERE / f"{name}.py"
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0].partition(": fcn ")[0]


@click.command(cls=Verbs)
def main() -> None:
    """Around `dvc repro`."""


if __name__ == "__main__":
    main()
