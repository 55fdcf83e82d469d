"""Write what PASCAL's evaluation server takes: fcn submit voc-fcn8s --images VOC2012test.tar."""

from pathlib import Path

import click

from ops import _nets
from stages.shared.dvc import load
from stages.shared.stage import Stage

SHOWN = 20  # problems


@click.command(cls=Stage)
@click.argument("recipe", required=False)
@_nets.options
@click.option("--split", default="voc/test", show_default=True, help="Of data/shards, or that --images lists.")
@click.option(
    "--images",
    type=click.Path(exists=True, path_type=Path),
    help="VOC2012test.tar, or the folder that it was unpacked to: test images have no labels and so no shards.",
)
@click.option("--competition", type=click.Choice(["comp5", "comp6"]), help="By default as trained.")
@click.option("--out", type=click.Path(path_type=Path), help="By default RECIPE.tar.gz.")
@click.option("--check", "checked", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
def main(
    recipe: str | None,
    model: Path | None,
    registry: str | None,
    split: str,
    images: Path | None,
    competition: str | None,
    out: Path | None,
    checked: Path | None,
    device: str,
) -> None:
    """Label every image of a VOC split with RECIPE's net into an archive for the server; or --check such a FILE.

    Competition comp5 is for nets that saw nothing but VOC's own labels, comp6 for all others: by default, comp5 only
    where the recipe, and each that it starts from, trains on VOC and begins at random.
    """
    out = out or Path(f"{recipe or 'model'}.tar.gz")
    _nets.writable(out)
    from pipeline import determinism  # torch and all that needs it, 2 s that other commands need not wait
    from pipeline.fcn.net import build
    from pipeline.serving.segment import Segmenter
    from pipeline.submission import archive

    here = Path.cwd()
    if images:
        found = archive.of_archive(images, split.rpartition("/")[2])
    else:
        found = archive.of_shards(Path("data/shards", split))
    if checked:
        problems = archive.check(checked, found, competition)
        for problem in problems[:SHOWN]:
            click.echo(f"Error: {checked}: {problem}", err=True)
        if problems:
            raise click.ClickException(f"{checked} is not what the server asks for: mend it")
        click.echo(f"{checked} holds what the server asks for: {len(found.ids)} images of {split}")
        return
    with _nets.weights(here, recipe, model, registry) as weights:
        net = build(weights)
    segmenter = Segmenter(net, determinism.start({"threads": _nets.threads(here), "device": device}))
    recipes = load(here / "params.yaml")["recipes"] if recipe else {}
    chosen, reason = (competition, "as asked") if competition else archive.competition_of(recipes, recipe)
    archive.write(out, chosen, found, segmenter)
    click.echo(f"wrote {out}: {len(found.ids)} images of {split} for {chosen} ({reason})")
