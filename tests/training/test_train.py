"""A training run starts from the right weights, learns, and gives the same bytes in every process."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pipeline.core import files
from pipeline.core.types import Refusal
from pipeline.shards.schema import read_manifest
from pipeline.training.train import start, summary, train
from pipeline.weights import checkpoint
from tests.training.world import DIVERGING, MOMENTS, SEMANTIC, SPEC, classifier, recipe, shards

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")

SCRIPT = """
import sys
from pathlib import Path
from pipeline import determinism
from pipeline.training.train import train
from tests.training.world import recipe
world, out = map(Path, sys.argv[1:])
device = determinism.start({"torch": __import__("torch").__version__.split("+")[0], "threads": 1})
train(recipe(stride=8), shards=world / "train", init=world / "init.safetensors", out=out, device=device, say=print)
"""


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    shards(tmp_path / "train")
    classifier(tmp_path / "init.safetensors")
    digests = []
    for out in (tmp_path / "here", tmp_path / "some/where else"):
        command = [sys.executable, "-W", "error", "-c", SCRIPT, str(tmp_path), str(out)]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert ran.stderr == ""  # no bar where nobody looks
        digests.append({path.name: files.sha256(path) for path in out.iterdir()})
    assert digests[0] == digests[1]
    assert sorted(digests[0]) == ["history.tsv", "model.safetensors"]


def test_the_loss_falls_and_the_weights_carry_their_net(tmp_path: Path) -> None:
    """All pixels are of one class, so that every step, whatever its rounding, makes it likelier."""
    init = classifier(tmp_path / "init.safetensors")
    said: list[str] = []
    folder = shards(tmp_path / "train", [1])
    train(recipe(iterations=60, lr=1e-6), shards=folder, init=init, out=tmp_path / "run", device=CPU, say=said.append)
    losses = [float(line.split("\t")[1]) for line in (tmp_path / "run/history.tsv").read_text().splitlines()[1:]]
    assert losses[0] == pytest.approx(torch.tensor(3.0).log().item(), abs=1e-5)  # zero scores: three classes alike
    assert sum(losses[-10:]) < 0.1 * sum(losses[:10])
    spec, tensors = checkpoint.load(tmp_path / "run/model.safetensors")
    assert (spec.stride, spec.heads, spec.mean, spec.padding) == (32, {"semantic": SEMANTIC}, SPEC.mean, SPEC.padding)
    assert not [name for name in tensors if "imagenet" in name]
    assert [line.split(":")[0] for line in said[:-1]] == ["copied", "zero"]
    assert re.fullmatch(r"trained for \d+ s, \d+\.\d% of them waiting for samples", said[-1])


@pytest.mark.parametrize("workers", [0, 4])
def test_any_number_of_decoding_threads_gives_the_same_bytes(tmp_path: Path, workers: int) -> None:
    init, folder = classifier(tmp_path / "init.safetensors"), shards(tmp_path / "train")
    altered = recipe(batch=2, alter="jitter", sampling=0.5)
    for count, out in ((1, "one"), (workers, "other")):
        train(altered, shards=folder, init=init, out=tmp_path / out, device=CPU, say=len, workers=count)
    for name in ("model.safetensors", "history.tsv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_the_ladder_inherits_all_but_its_new_skips(tmp_path: Path) -> None:
    init = classifier(tmp_path / "init.safetensors")
    folder = shards(tmp_path / "train")
    train(recipe(iterations=3), shards=folder, init=init, out=tmp_path / "32s", device=CPU, say=len)
    coarse = tmp_path / "32s/model.safetensors"
    net, report = start(recipe(stride=16), coarse, read_manifest(folder))
    fresh = {name for name, fate in report.items() if fate == "zero"}
    assert fresh == {"semantic.score_pool4.weight", "semantic.score_pool4.bias"}
    state = net.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in checkpoint.load(coarse)[1].items())


def test_a_random_start_takes_only_the_architecture(tmp_path: Path) -> None:
    init = classifier(tmp_path / "init.safetensors")
    manifest = read_manifest(shards(tmp_path / "train"))
    net, report = start(recipe(start="random"), init, manifest)
    again, _ = start(recipe(start="random"), init, manifest)
    other, _ = start(recipe(start="random", seed=1), init, manifest)
    name = "backbone.conv3_1.weight"
    weights = [each.state_dict()[name] for each in (net, again, other)]
    assert report[name] == "random"
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert not torch.equal(weights[0], checkpoint.load(init)[1][name])
    assert not net.state_dict()["semantic.score_fr.weight"].any()


def test_the_mean_is_the_one_the_recipe_says(tmp_path: Path) -> None:
    init = classifier(tmp_path / "init.safetensors")
    manifest = read_manifest(shards(tmp_path / "train"))
    assert start(recipe(mean="init"), init, manifest)[0].spec.mean == SPEC.mean
    assert start(recipe(mean="measured"), init, manifest)[0].spec.mean == MOMENTS.mean


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": "googlenet"}, "recipes.noise-fcn.backbone is googlenet, "),
        ({"heads": ["semantics"]}, "recipes.noise-fcn.heads names 'semantics': noise labels geometric, semantic"),
        ({"mean": "published"}, "recipes.noise-fcn.mean is published, but of noise's color there is none"),
        ({"inputs": ["hha"]}, "recipes.noise-fcn.mean is init, but weights/vgg16-fcn.safetensors saw color, not hha"),
    ],
)
def test_refuses_what_does_not_fit_together(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(Refusal, match=re.escape(message)):
        start(recipe(**changes), classifier(tmp_path / "init.safetensors"), read_manifest(shards(tmp_path / "train")))


def test_a_failed_run_leaves_no_weights(tmp_path: Path) -> None:
    init = classifier(tmp_path / "init.safetensors")
    folder = shards(tmp_path / "train")
    with pytest.raises(Refusal, match=r"lower solver\.lr"):
        train(recipe(**DIVERGING, iterations=3), shards=folder, init=init, out=tmp_path / "run", device=CPU, say=len)
    assert not (tmp_path / "run").exists()


def test_the_report_is_a_line_for_each_fate() -> None:
    many = {f"conv{n}.weight": "copied" for n in range(9)}
    assert summary({**many, "score.bias": "zero"}) == [
        "copied: 9 tensors (conv0.weight, …, conv8.weight)",
        "zero: 1 tensors (score.bias)",
    ]
