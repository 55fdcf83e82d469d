"""Write a trained net as an ONNX file: fcn export voc-fcn8s --out voc-fcn8s.onnx."""

from pathlib import Path

import click

from ops import _nets
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("recipe", required=False)
@_nets.options
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The ONNX file to write.")
def main(recipe: str | None, model: Path | None, registry: str | None, out: Path) -> None:
    """Write RECIPE's net as ONNX: pixels of any size from 32×32 on in, class indices and scores out."""
    _nets.writable(out, ".onnx")
    with _nets.weights(Path.cwd(), recipe, model, registry) as weights:
        from pipeline.serving import onnx  # torch, which other commands need not wait for

        onnx.export(weights, out)
    click.echo(f"wrote {out}")
