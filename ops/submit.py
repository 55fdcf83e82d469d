"""Write what PASCAL's evaluation server takes: fcn submit voc-fcn8s --images VOC2012test.tar."""

from __future__ import annotations

from pathlib import Path

import click

from ops import _competition, _nets
from stages.shared.stage import Stage

SHOWN = 20  # problems


@click.command(cls=Stage)
@click.argument("recipe", required=False)
@click.option("--model", type=click.Path(path_type=Path), help="A model.safetensors, in place of a recipe.")
@click.option("--registry", metavar="NAME[@ALIAS]", help="A model in MLflow's registry, in place of a recipe.")
@click.option("--split", default="voc/test", show_default=True, help="Of data/shards, or that --images lists.")
@click.option(
    "--images",
    type=click.Path(exists=True, path_type=Path),
    help="VOC2012test.tar, or the folder that it was unpacked to: test images have no labels and so no shards.",
)
@click.option("--competition", type=click.Choice([_competition.OWN, _competition.ANY]), help="By default as trained.")
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
    from pipeline import determinism

    # isort: split
    from pipeline.fcn.net import build
    from pipeline.serving.segment import Segmenter
    from pipeline.submission import check, pack, pictures

    here = Path.cwd()
    if images:
        found = pictures.of_archive(images, split.rpartition("/")[2])
    else:
        found = pictures.of_shards(Path("data/shards", split))
    if checked:
        problems = check.check(checked, found, competition)
        for problem in problems[:SHOWN]:
            click.echo(f"Error: {checked}: {problem}", err=True)
        if problems:
            raise click.ClickException(f"{checked} is not what the server asks for: mend it")
        click.echo(f"{checked} holds what the server asks for: {len(found.ids)} images of {split}")
        return
    with _nets.weights(here, recipe, model, registry) as weights:
        net = build(weights)
    chosen, reason = (competition, "as asked") if competition else _competition.competition(here, recipe)
    out = out or Path(f"{recipe or 'model'}.tar.gz")
    device_used = determinism.start({"threads": _nets.threads(here), "device": device})
    pack.write(out, chosen, found, Segmenter(net, device_used))
    click.echo(f"wrote {out}: {len(found.ids)} images of {split} for {chosen} ({reason})")


if __name__ == "__main__":
    main()
