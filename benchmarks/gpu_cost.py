"""Estimate what each recipe of scale paper costs on a GPU that is not at hand: python -m benchmarks.gpu_cost."""

from pathlib import Path

import click
import yaml

from ops.compose import composed
from pipeline.tables import markdown
from pipeline.timing import costs

ROOT = Path(__file__).parents[1]
HOUR = 3600.0
HEADER = ("recipe", "TFLOP an image", "images", "GB", "hours")


def rows(params: dict[str, object], rate: float) -> list[tuple[str, ...]]:
    """A row a recipe of ``params``, and the hours of all, where a card computes ``rate`` FLOP/s."""
    table, together = [], 0.0
    for name, (recipe, spec, sides) in costs.recipes(params).items():
        cost, images = costs.cost(recipe, spec, *sides), recipe.solver.iterations * recipe.solver.batch
        hours = cost.flops / rate / HOUR
        together += hours
        figures = f"{cost.flops / images / 1e12:.3f}", f"{images:,}", f"{cost.memory / 1e9:.1f}", f"{hours:.1f}"
        table.append((name, *figures))
    return [*table, ("together", "", "", "", f"{together:.1f}")]


@click.command()
@click.option("--peak", default=19.5, show_default=True, help="TFLOP/s of the card: an A100's in fp32; 156 in tf32.")
@click.option("--share", default=0.5, show_default=True, help="Of the peak that training reaches, assumed.")
def main(peak: float, share: float) -> None:
    """Print a Markdown table: operations of a training step, memory of its tensors, hours at SHARE of PEAK."""
    click.echo(f"Estimated, not measured: {share:.0%} of {peak:g} TFLOP/s\n")
    click.echo(markdown(HEADER, rows(yaml.safe_load(composed(ROOT, ["scale=paper"])), peak * share * 1e12)))


if __name__ == "__main__":
    main()
