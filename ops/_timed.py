"""Which nets `fcn time` means, and what MLflow hears of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.types import Refusal
from pipeline.spec import NetSpec
from pipeline.timing.page import NETS
from pipeline.tracking.record import canonical
from stages._live import md5

if TYPE_CHECKING:  # it loads torch
    from pipeline.timing.forward import Timing

WEIGHTS = "model.safetensors"


def nets(root: Path, recipes: Sequence[str], table1: bool) -> dict[str, Path | NetSpec]:
    """{name: weights, or the spec of random ones}: ``recipes``' and the paper's if ``table1``; of neither, all trained.

    Where nothing is trained, the paper's stand in. Raises Refusal for a recipe without weights.
    """
    trained = {path.parent.name: path for path in sorted((root / "runs").glob(f"*/{WEIGHTS}"))}
    for name in recipes:
        if name not in trained:
            known = ", ".join(trained) or "none"
            raise Refusal(f"no weights of {name} in {root / 'runs'}: train it, or name one that is ({known})")
    chosen = {name: trained[name] for name in recipes or (() if table1 else trained)}
    return {**chosen, **(NETS if table1 or not chosen else {})}


def tell(root: Path, timings: Sequence[Timing]) -> str | None:
    """Log ``timings`` where MLflow is: $MLFLOW_TRACKING_URI, or mlflow.db here. Returns what became of that, in words.

    As with stages, $FCN_TRACKING other than ``live`` keeps it silent, and a server that is away is no error.
    """
    told = os.environ.get("MLFLOW_TRACKING_URI") or (root / "mlflow.db").is_file()
    if not told or os.environ.get("FCN_TRACKING", "live") != "live":
        return None
    from pipeline.timing import page
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


def _tags(timing: Timing) -> dict[str, str]:
    """The recipe and its weights, under the names that its training's run has them under."""
    if not isinstance(timing.work.net, Path):
        return {}
    return {"dvc.key": timing.work.name, "weights": f"dvc:{md5(timing.work.net)}"}
