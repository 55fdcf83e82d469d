"""The record that a stage came out the same when it ran again, and whether it is about what dvc.lock has now."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.core import files

FOLDER = ".verified"  # in the repository's root; of this clone only, for nobody has run anything again elsewhere


@dataclass(frozen=True, kw_only=True)
class Proof:
    """``inputs`` and ``outputs`` are the stage's digests, the tags ``dvc.inputs`` and ``dvc.outputs`` of its run.

    ``torch``, ``python`` (versions) and ``processor`` (its kind) say where it came out the same.
    """

    stage: str
    inputs: str
    outputs: str
    torch: str
    python: str
    processor: str


def write(root: Path, proof: Proof) -> None:
    """Replace an earlier proof of the same stage."""
    files.write_json(_path(root, proof.stage), asdict(proof))


def withdraw(root: Path, stage: str) -> None:
    """Delete the proof of a stage that came out another way."""
    _path(root, stage).unlink(missing_ok=True)


def read(root: Path, stage: str) -> Proof | None:
    """The proof of a stage such as ``train@voc-fcn8s``; None where there is none that can be understood."""
    try:
        return Proof(**{name: str(value) for name, value in json.loads(_path(root, stage).read_bytes()).items()})
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return None


def lacking(proof: Proof | None, stage: str, inputs: str, outputs: str) -> str:
    """Why ``proof`` does not show that ``stage`` gives ``outputs`` from ``inputs`` again; empty where it does."""
    if proof is None:
        return f"nobody ran {stage} again: fcn verify {stage}"
    if (proof.stage, proof.inputs, proof.outputs) != (stage, inputs, outputs):
        return f"the proof of {stage} is of other inputs or outputs than dvc.lock's: fcn verify {stage}"
    return ""


def _path(root: Path, stage: str) -> Path:
    return root / FOLDER / f"{stage}.json"
