"""Tell the pull request what a retraining changed: fcn ci report [--base REV]."""

from __future__ import annotations

import os
from pathlib import Path

import click

from pipeline.core import files
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.option(
    "--base",
    metavar="REV",
    help="By default the branch that this one goes into.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the Markdown there too.")
@click.option("--no-comment", is_flag=True, help="Leave no comment and push no pictures.")
def main(base: str | None, out: Path | None, no_comment: bool) -> None:
    """Compare scores, params and stages of the work tree with REV, and leave that as one comment on the request.

    Pictures go to the branch ci-pictures of origin, on a desk into a folder beside OUT. What the host does not take
    is a warning.
    """
    from ops.ci import _pictures, _report  # they load DVC
    from ops.ci._forge import forge

    root, host = Path.cwd(), forge(os.environ)
    base = base or ("HEAD~1" if host.base == f"origin/{host.branch}" else host.base)
    beside = out.with_name(f"{out.stem}-pictures") if out else None
    pictures = _report.chosen(root, base)
    text = _report.report(root, base, _pictures.shown(root, host, pictures, beside=beside, push=not no_comment))
    if out:
        with files.replacing(out) as scratch:
            scratch.write_text(text, encoding="utf-8")
    elif no_comment:
        click.echo(text, nl=False)
    if not no_comment and (url := host.comment("report", text)):
        click.echo(url)


if __name__ == "__main__":
    main()
