"""Propose the scale of your own folder of images and labels: fcn new leaves photos/leaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from pipeline.core import files
from pipeline.core.fields import read
from pipeline.core.types import Refusal
from pipeline.datasets.own.coding import Row, parse, shown
from stages.shared.dvc import WORD
from stages.shared.stage import Stage

if TYPE_CHECKING:
    from pipeline.pairs import Pairs
    from pipeline.propose import Look

# Each its file of conf/weights/, and what its recipe says. A thin net's steps are fast, and few will do.
WEIGHTS = {
    "imagenet": ("efficientnet_lite", "net: {backbone: efficientnet_lite}"),
    "miniature": ("rendered", "net: {backbone: vgg16, mean: measured}\n    solver: {iterations: 400}"),
}


@click.command(cls=Stage)
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--images", default="", help="A pattern below FOLDER, where the names do not tell: 'pics/*.jpg'.")
@click.option("--labels", default="", help="Likewise, {id} being the image's name: 'truth/{id}_gt.png'.")
@click.option("--classes", "names", default="", help="Names in the values' order: soil,leaf; or leaf=#ff0000,….")
@click.option("--ignore", default="", help="Values or colours that are no class: 255, or '#808080'.")
@click.option(
    "--weights",
    type=click.Choice([*WEIGHTS]),
    default="imagenet",
    show_default=True,
    help="ImageNet's come from your package index; the miniature's are trained here in a minute, and weak.",
)
@click.option("--force", is_flag=True, help="Write over conf/scale/NAME.yaml.")
def main(name: str, folder: Path, images: str, labels: str, names: str, ignore: str, weights: str, force: bool) -> None:
    """Look at FOLDER, and write conf/scale/NAME.yaml: how to read it, and a recipe to train on it."""
    from pipeline import pairs, propose  # matplotlib and Arrow

    path = Path("conf/scale", f"{name}.yaml")
    if not WORD.fullmatch(name) or not name.isascii() or not isinstance(yaml.safe_load(name), str):
        raise Refusal(f"{name!r} names no data set: write a word of a to z, digits, _ and -, such as leaves")
    if not path.parent.is_dir():
        raise Refusal(f"no {path.parent} here: go to the clone's folder")
    if path.exists() and not force:
        raise Refusal(f"{path} is there: choose another name, or write over it with --force")
    if folder.is_absolute() and folder.is_relative_to(Path.cwd()):
        folder = folder.relative_to(Path.cwd())
    found = pairs.find(name, folder, images, labels)
    seen = propose.look(found)
    row = propose.row(found, seen, _words(names), _words(ignore))
    sheet = Path(".sheets", f"{name}.png")
    propose.draw(name, row, sheet)
    scored = next((split for split in ("val", "test") if split in found.layout.splits), "train")
    with files.replacing(path) as scratch:
        scratch.write_text(_scale(name, row, weights, scored, seen.large), encoding="utf-8")
    click.echo("\n".join(_table(found, seen, row)))
    click.echo(f"wrote {path}. Look at {sheet}: do labels lie on their images, and are classes what you mean?")
    click.echo(f"next:\n  python -m ops.compose scale={name}\n  fcn data check {name}\n  fcn run")


def _table(found: Pairs, seen: Look, row: Mapping[str, Any]) -> Iterator[str]:
    """What was found: the files, the values with their share of pixels and their class, the splits."""
    yield f"{found.root}: {len(found.ids)} of {found.images} with labels of {found.labels}"
    by_color = seen.encoding == "color"
    yield f"{seen.encoding}, of {seen.labels} labels looked at:"
    coding = parse("row", read(Row, "row", row))
    names = dict(coding.stored)
    for value, pixels in seen.pixels.items():
        meaning = value if seen.names else names.get(value, 255)
        name = coding.label.classes[meaning] if meaning < len(coding.label.classes) else "void"
        yield f"  {shown(value, by_color):>7}  {100 * pixels / sum(seen.pixels.values()):6.2f} %  {name}"
    if seen.large:
        yield "pictures are large: the recipe trains on random windows of 512×512 (data.crop)"
    yield from found.told
    yield "splits: " + ", ".join(f"{split} {len(ids)}" for split, ids in found.layout.splits.items())


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _flow(value: Any) -> str:
    """One line of YAML, quoted where it must be."""
    return yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True).removesuffix("...\n").strip()


def _scale(name: str, row: Mapping[str, Any], weights: str, scored: str, large: bool) -> str:
    """The YAML of the row without its defaults, and of a recipe of what differs from conf/recipe/own.yaml."""
    group, net = WEIGHTS[weights]
    crop = ", crop: 512" if large else ""  # random windows
    defaults = {each.name: each.default for each in fields(Row)}
    plain = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    said = {key: value for key, value in row.items() if plain[key] != defaults[key]}
    lines = "".join(f"    {key}: {_flow(value)}\n" for key, value in said.items())
    return f"""# @package _global_
# {name}, as `fcn new` proposes it. Change what you like, then: python -m ops.compose scale={name}
defaults:
- /recipe@recipes.{name}-fcn8s: own
- override /weights: {group}
scale: {name}

folders:
  {name}:
{lines}
bounds:
  {name}-{scored}: {{shards: {name}, split: {scored}}}

recipes:
  {name}-fcn8s:
    {net}
    data: {{shards: {name}{crop}}}
    evaluate: {{split: {scored}}}
"""
