"""Label pictures with a trained net: fcn predict PATHS… --recipe voc-fcn8s --out labelled."""

from pathlib import Path
from typing import Literal

import click

from ops import _nets
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--recipe", help="A net that this pipeline trained, as params.yaml names it.")
@_nets.options
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder to write into.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--tile", type=int, help="Label tiles of this many pixels; 0 never; by default where memory needs it.")
@click.option("--scores", type=click.Choice(["npz", "png"]), help="Also write the probability of each class.")
def main(
    paths: tuple[Path, ...],
    recipe: str | None,
    model: Path | None,
    registry: str | None,
    out: Path,
    device: str,
    tile: int | None,
    scores: Literal["npz", "png"] | None,
) -> None:
    """Label PATHS, pictures and folders of them: a palette PNG of class indices and an overlay with legend for each."""
    _nets.writable(out, folder=True)
    from pipeline import determinism  # torch and all that needs it, 2 s that other commands need not wait
    from pipeline.fcn.net import build
    from pipeline.serving import label
    from pipeline.serving.segment import Segmenter

    here = Path.cwd()
    pictures, passed = label.find(paths, out)
    with _nets.weights(here, recipe, model, registry) as weights:
        net = build(weights)
    chosen = determinism.start({"threads": _nets.threads(here), "device": device})
    segmenter = Segmenter(net, chosen, tile, scores=bool(scores))
    if tile and tile < segmenter.reach.side:
        click.echo(f"tiles of {tile} px: near seams labels are approximate; exact from {segmenter.reach.side} px on")
    refused = label.label(pictures, out, segmenter, scores)
    folders = ", ".join(
        f"{head}/, {head}-overlay/ and {head}-scores/" if scores else f"{head}/ and {head}-overlay/"
        for head in segmenter.heads
    )
    click.echo(f"labelled {len(pictures) - len(refused)} of {len(pictures)} images into {out}: {folders}")
    if passed:
        names = ", ".join(map(str, passed[:10])) + (", …" if len(passed) > 10 else "")
        click.echo(f"passed over {len(passed)} files that are hidden or not named as pictures: {names}", err=True)
    for refusal in refused:
        click.echo(f"Error: {refusal}", err=True)
    if refused:
        raise click.exceptions.Exit(1)
