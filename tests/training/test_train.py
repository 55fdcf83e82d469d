"""A training run starts from the right weights, learns, and gives the same bytes in every process."""

import math
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from unittest.mock import ANY

import pytest
import torch

from pipeline.core.types import Refusal
from pipeline.shards.schema import read_manifest
from pipeline.training.surgery import start
from pipeline.watching.watch import watch
from pipeline.weights import checkpoint
from tests.closure import ROOT
from tests.training.world import GEOMETRIC, IDS, MOMENTS, SEMANTIC, SPEC, Seen, classifier, fit, losses, recipe, shards

SCRIPT = """
import sys
from pathlib import Path
from pipeline import determinism
determinism.start({"threads": 1})
from tests.training.world import fit, recipe
print(fit(Path(sys.argv[1]), sys.argv[2], row=recipe(stride=8)))
"""


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    shards(tmp_path / "train")
    classifier(tmp_path / "init.safetensors")
    said = []
    for out in ("here", "some/where else"):
        command = [sys.executable, "-W", "error", "-c", SCRIPT, str(tmp_path), out]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert ran.stderr == ""  # no bar where nobody looks
        said.append(ran.stdout)
    assert said[0] == said[1]
    assert said[0].count("model.safetensors") == said[0].count("history.tsv") == 1


def test_the_loss_falls_and_the_weights_carry_their_net(tmp_path: Path) -> None:
    """All pixels are of one class, so that every step, whatever its rounding, makes it likelier."""
    shards(tmp_path / "train", [1])
    said: list[str] = []
    fit(tmp_path, row=recipe(iterations=60, lr=1e-6), say=said.append)
    loss = losses(tmp_path / "run/history.tsv")
    assert loss[0] == pytest.approx(torch.tensor(3.0).log().item(), abs=1e-5)  # zero scores: three classes alike
    assert sum(loss[-10:]) < 0.1 * sum(loss[:10])
    spec, tensors = checkpoint.load(tmp_path / "run/model.safetensors")
    assert (spec.stride, spec.heads, spec.mean, spec.padding) == (32, {"semantic": SEMANTIC}, SPEC.mean, SPEC.padding)
    assert not [name for name in tensors if "imagenet" in name]
    assert [line.split(":")[0] for line in said[:-1]] == ["copied", "zero"]
    assert re.fullmatch(r"trained for \d+ s, \d+\.\d% of them waiting for samples", said[-1])


def test_any_number_of_decoding_threads_gives_the_same_bytes(tmp_path: Path) -> None:
    row = recipe(batch=2, alter="jitter", sampling=0.5, crop=40)
    runs = [fit(tmp_path, f"with {workers}", row=row, workers=workers) for workers in (1, 0, 4)]
    assert runs[0] == runs[1] == runs[2]


def test_score_layers_alone_are_tuned_when_the_recipe_says_so(tmp_path: Path) -> None:
    fit(tmp_path, row=recipe(iterations=3, tune="scores"))
    before, after = (checkpoint.load(tmp_path / path)[1] for path in ("init.safetensors", "run/model.safetensors"))
    moved = {name for name in after if not torch.equal(after[name], before.get(name, torch.zeros_like(after[name])))}
    assert moved == {"semantic.score_fr.weight", "semantic.score_fr.bias"}


def test_a_net_of_other_classes_is_a_start(tmp_path: Path) -> None:
    """A net of three classes, trained for a while, begins one of two others; its score layers are told by name."""
    fit(tmp_path, row=recipe(stride=16, iterations=3))
    init, other, said = tmp_path / "run/model.safetensors", tmp_path / "other", [""]
    init.rename(tmp_path / "init.safetensors")
    (tmp_path / "train").rename(other)
    shards(tmp_path / "train", (0, 1, 255), GEOMETRIC)
    fit(tmp_path, row=recipe(stride=8, mean="measured", iterations=3), say=said.append)
    spec, tensors = checkpoint.load(tmp_path / "run/model.safetensors")
    assert (spec.heads, spec.mean, spec.stride) == ({"semantic": GEOMETRIC}, MOMENTS.mean, 8)
    assert tensors["semantic.score_fr.weight"].any()
    layers = [f"semantic.score_{name}.{kind}" for name in ("fr", "pool4", "pool3") for kind in ("weight", "bias")]
    dropped = sorted(f"init's {name}" for name in layers[:4])
    assert said[1].startswith("copied: 30 tensors (backbone.conv1_1.weight, …, ")
    assert said[2] == f"dropped, for its classes are others: 4 tensors ({', '.join(dropped)})"
    assert said[3] == f"zero: 6 tensors ({', '.join(layers)})"


def test_a_random_start_takes_only_the_architecture(tmp_path: Path) -> None:
    init = classifier(tmp_path / "init.safetensors")
    manifest = read_manifest(shards(tmp_path / "train"))
    rows = [recipe(start="random"), recipe(start="random"), recipe(start="random", seed=1)]
    (net, report), *others = (start(row, init, manifest) for row in rows)
    name = "backbone.conv3_1.weight"
    weights = [each.state_dict()[name] for each in (net, *(other for other, _ in others))]
    assert report[name] == "random"
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert not torch.equal(weights[0], checkpoint.load(init)[1][name])
    assert not net.state_dict()["semantic.score_fr.weight"].any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": "googlenet"}, "net.backbone is googlenet, "),
        ({"heads": ["semantics"]}, "net.heads names 'semantics': noise labels geometric, semantic"),
        ({"mean": "published"}, "net.mean is published, but of noise's color there is none"),
        ({"inputs": ["hha"]}, "net.mean is init, but weights/vgg16-fcn.safetensors saw color, not hha"),
    ],
)
def test_refuses_what_does_not_fit_together(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(Refusal, match=re.escape(f"recipes.noise-fcn.{message}")):
        start(recipe(**changes), classifier(tmp_path / "init.safetensors"), read_manifest(shards(tmp_path / "train")))


@pytest.mark.parametrize("crop", [0, 32])
def test_looking_on_changes_no_byte_and_the_same_images_are_shown_at_nine_moments(tmp_path: Path, crop: int) -> None:
    row = recipe(iterations=40, crop=crop, milestones=20, batch=2)
    alone = fit(tmp_path, "alone", row=row)
    watching = partial(watch, seen := Seen(), tmp_path / "train", validation=tmp_path / "train")
    assert fit(tmp_path, "watched", row=row, watch=watching) == alone
    assert [step for step, values in seen.points if "validation/semantic/mean_iu" in values] == [20, 40]
    unseen = partial(watch, Seen(), tmp_path / "train", validation=tmp_path / "absent")
    assert fit(tmp_path, "elsewhere", row=row, watch=unseen) == alone, "the split may not be here yet"
    keys = [f"training/{place:02d}-{name}" for place, name in enumerate(IDS)]
    assert seen.pictures == [(step, key) for step in range(0, 41, 5) for key in keys]
    assert all(crop in (0, *shape[:2]) for shape in seen.shapes)


def test_the_curve_is_the_history_in_at_most_300_points(tmp_path: Path) -> None:
    seen, row = Seen(), recipe(iterations=610)
    fit(tmp_path, row=row, watch=lambda *training: watch(seen, tmp_path / "train", *training))
    assert [values["loss"] for _, values in seen.points] == losses(tmp_path / "run/history.tsv")
    assert 200 < len(seen.points) <= 300
    for _, values in seen.points:
        assert values == {"loss": ANY, "lr_log10": math.log10(row.solver.lr), "throughput": ANY, "wait": ANY}
        assert 0 <= values["wait"] <= 1
