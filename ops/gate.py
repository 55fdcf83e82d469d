"""Ask whether a recipe's weights may be promoted: fcn gate RECIPE. dvc.lock and the files that it names decide."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from pipeline import gate, proof
from pipeline.core import fields, files
from pipeline.core.types import Refusal
from pipeline.gate import Champion, Thresholds, Verdict
from stages.shared.dvc import Entry, entries
from stages.shared.stage import Stage

PREFIX = "fcn-"  # of a registered model, before its data set
RULES = "conf/gate.yaml"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """dvc.lock's entries, ``train`` and ``evaluate``, of a recipe; ``metrics`` is its metrics.json's content."""

    recipe: str
    dataset: str  # the first part of the split that it was scored on
    entries: Mapping[str, Entry]
    metrics: Mapping[str, Any]

    @property
    def model(self) -> str:
        return model(self.dataset)

    @property
    def weights(self) -> str:
        return f"runs/{self.recipe}/model.safetensors"

    def asked(self, root: Path) -> Thresholds:
        """Of conf/gate.yaml."""
        return Thresholds.read(root / RULES, str(self.metrics.get("scale")), self.dataset)

    def unproved(self, root: Path, asked: Thresholds) -> dict[str, str]:
        """Why a stage that ``asked`` wants proved is not; empty where it is."""
        wanted = {name: entry for name, entry in self.entries.items() if name in asked.proofs}
        return {
            name: proof.lacking(proof.read(root, entry.stage), entry.stage, entry.inputs, entry.outputs)
            for name, entry in wanted.items()
        }

    def judged(self, root: Path, asked: Thresholds, champion: Champion | None) -> tuple[Verdict, dict[str, Any]]:
        """The verdict, and gate.json: all that it rests on, with the same bytes for the same inputs."""
        unproved = self.unproved(root, asked)
        verdict = gate.judge(self.metrics, champion.metrics if champion else None, asked, unproved)
        proofs = {name: proof.read(root, f"{name}@{self.recipe}") for name in asked.proofs}
        return verdict, {
            **verdict.to_json(),
            "recipe": self.recipe,
            "model": self.model,
            "dvc.inputs": {name: entry.inputs for name, entry in self.entries.items()},
            "dvc.outputs": {name: entry.outputs for name, entry in self.entries.items()},
            "metrics": self.metrics,
            "champion": asdict(champion) if champion else None,
            "proofs": {name: asdict(found) if found else None for name, found in proofs.items()},
        }


def candidate(root: Path, recipe: str) -> Candidate:
    """The candidate as dvc.lock has it.

    Raises Refusal for a recipe that dvc.lock lacks, one evaluated with other weights than it trained, and metrics that
    are not dvc.lock's.
    """
    known, found = entries(root), {}
    for name in ("train", "evaluate"):
        if (stage := f"{name}@{recipe}") not in known:
            others = [entry.key for entry in known.values() if entry.stage.startswith(f"{name}@")]
            hint = fields.nearest(recipe, others).strip() or f"dvc repro {stage}"
            raise Refusal(f"dvc.lock has no {stage}: {hint}")
        found[name] = known[stage]
    train, evaluate = found.values()
    metrics, classes = (f"eval/{recipe}/{name}.json" for name in ("metrics", "classes"))
    for path in (metrics, classes) if classes in evaluate.outs else (metrics,):
        refuse_other(root, path, evaluate)
    dataset = evaluate.cmd.split()[-1].partition("/")[0]
    by_class = json.loads((root / classes).read_bytes()) if classes in evaluate.outs else {}
    scores = gate.with_classes(json.loads((root / metrics).read_bytes()), by_class)
    read = Candidate(recipe=recipe, dataset=dataset, entries=found, metrics=scores)
    if evaluate.deps.get(read.weights) != train.outs.get(read.weights):
        raise Refusal(f"{evaluate.stage} scored other weights than {train.stage} wrote: dvc repro {evaluate.stage}")
    return read


def refuse_other(root: Path, path: str, entry: Entry) -> None:
    """Raise Refusal unless ``path`` has the bytes that dvc.lock says ``entry`` wrote; reads all of it."""
    from stages._live import md5  # it loads NumPy, which other commands need not wait for

    if not (root / path).is_file() or md5(root / path) != entry.outs.get(path):
        raise Refusal(f"{path} is not what dvc.lock says {entry.stage} wrote: dvc checkout, or dvc repro {entry.stage}")


def champion(root: Path, name: str) -> Champion | None:
    """The champion of the registered model ``name``. Raises Refusal where no registry answers."""
    from pipeline.registry.champion import champion  # MLflow takes seconds to import
    from pipeline.tracking.connect import connect_existing

    return champion(connect_existing(root)[0], name)


def model(name: str) -> str:
    """The registered model of a data set, which may be called by either's name."""
    return name if name.startswith(PREFIX) else PREFIX + name


@click.command(cls=Stage)
@click.argument("recipe")
@click.option("--first", is_flag=True, help="Judge as if there were no champion; no registry is asked.")
def main(recipe: str, first: bool) -> None:
    """Judge eval/RECIPE/metrics.json by conf/gate.yaml and beside the champion; exit 1 where it fails.

    Writes gate/RECIPE.json, which nobody trusts: `fcn promote` judges anew.
    """
    root = Path.cwd()
    found = candidate(root, recipe)
    before = None if first else champion(root, found.model)
    verdict, page = found.judged(root, found.asked(root), before)
    files.write_json(root / "gate" / f"{recipe}.json", page)
    click.echo(gate.table(page["checks"]))
    beside = f"version {before.version}, the champion" if before else "no champion"
    click.echo(f"{recipe} {'passes' if verdict.passed else 'FAILS'} as {found.model}, beside {beside}")
    if not verdict.passed:
        raise click.exceptions.Exit(1)
