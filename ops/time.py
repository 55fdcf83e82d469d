"""Time the nets' inference: fcn time voc-fcn8s, or fcn time --table1."""

import os
import re
from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path

import click
from tqdm import tqdm

from ops import _nets
from pipeline.core.fields import canonical
from pipeline.core.types import Refusal
from pipeline.spec import NetSpec
from pipeline.timing import forward, page
from pipeline.timing.page import NETS
from pipeline.training.recipe import SMALLEST
from stages._live import md5
from stages.shared.stage import Stage

OUT = Path("times.json")
WEIGHTS = "model.safetensors"


@click.command(cls=Stage)
@click.argument("recipes", nargs=-1, metavar="[RECIPE]…")
@click.option("--table1", is_flag=True, help="The paper's own nets at full size, with random weights.")
@click.option("--size", default="500x500", show_default=True, help="Of the image, across x down, in pixels.")
@click.option("--repeats", default=20, show_default=True, type=click.IntRange(min=1), help="Passes that are timed.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
def main(recipes: tuple[str, ...], table1: bool, size: str, repeats: int, device: str) -> None:
    """Time the forward pass of one image by each RECIPE's net (every trained one, where none is named).

    As in the paper's Table 1: the mean of 20 passes over an image that is already on the device. Memory is the most
    that the passes held, weights included: on a GPU what torch allocated, on a CPU what was resident in a process of
    the net's own, less what it held before. The table is printed, times.json holds it, and each net gets a run in
    MLflow where there is one.
    """
    written = re.fullmatch(r"(\d+)x(\d+)", size)
    across, down = map(int, written.groups()) if written else (0, 0)
    if min(across, down) < SMALLEST:
        raise Refusal(f"--size {size}: write pixels across x down, {SMALLEST} or more each, such as 500x500")
    here = Path.cwd()
    make = partial(forward.Work, height=down, width=across, repeats=repeats, device=device, threads=_nets.threads(here))
    works = [make(name=name, net=net) for name, net in nets(here, recipes, table1).items()]
    timings = list(forward.each(tqdm(works, desc="time", unit="net", disable=None)))
    page.write(OUT, timings)
    click.echo(f"{page.title(timings[0])}\n\n{page.table(timings)}")
    if logged := log_runs(here, timings):
        click.echo(f"\n{logged}")


def nets(root: Path, recipes: Sequence[str], table1: bool) -> dict[str, Path | NetSpec]:
    """{name: weights, or the spec of random ones}: ``recipes``' and the paper's if ``table1``; of neither, all trained.

    Where nothing is trained, the paper's stand in. Raises Refusal for a recipe without weights.
    """
    trained = {path.parent.name: path for path in sorted((root / "runs").glob(f"*/{WEIGHTS}"))}
    for name in recipes:
        if name not in trained:
            near = get_close_matches(name, trained, n=1) or [*trained]
            known = ", ".join(near) or "none"
            raise Refusal(f"no weights of {name} in {root / 'runs'}: train it, or name one that is ({known})")
    chosen = {name: trained[name] for name in recipes or (() if table1 else trained)}
    return {**chosen, **(NETS if table1 or not chosen else {})}


def log_runs(root: Path, timings: Sequence[forward.Timing]) -> str | None:
    """Log ``timings`` where MLflow is: $MLFLOW_TRACKING_URI, or mlflow.db here. Returns what became of that, in words.

    As with stages, $FCN_TRACKING other than ``live`` keeps it silent, and a server that is away is no error.
    """
    store = os.environ.get("MLFLOW_TRACKING_URI") or (root / "mlflow.db").is_file()
    if not store or os.environ.get("FCN_TRACKING", "live") != "live":
        return None
    from pipeline.tracking import runs  # it loads MLflow, 3 s that others need not wait
    from pipeline.tracking.connect import answering, connect

    try:
        client, experiment = connect(root)
        with answering(client):
            for timing in timings:
                facts = {name: canonical(value) for name, value in page.facts(timing).items()}
                runs.timing(client, experiment, timing.work.name, _tags(timing), timing.numbers(), facts)
    except Refusal as refusal:
        return f"not logged: {refusal}"
    return f"logged {len(timings)} runs: tags.`{runs.TIMED}`"


def _tags(timing: forward.Timing) -> dict[str, str]:
    """The recipe and its weights, under the names that its training's run has them under."""
    if not isinstance(timing.work.net, Path):
        return {}
    return {"dvc.key": timing.work.name, "weights": f"dvc:{md5(timing.work.net)}"}
