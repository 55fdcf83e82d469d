"""A curve that stays below what conf/expect.yaml says of it raises an alarm, once."""

from pathlib import Path

import pytest
import yaml

from pipeline.core.types import Refusal
from pipeline.live.live import Live
from pipeline.tracking.spool import Spool
from stages._live import expected, validation
from tests.closure import ROOT

IU = "validation/semantic/mean_iu"


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ({2: 0.0, 4: 0.1, 20: 0.4}, []),
        ({4: 0.02, 8: 0.02}, [f"{IU} is 0.02 after 4 iterations, expected 0.1"]),
        ({4: 0.2, 19: 0.2, 24: 0.39, 28: 0.3}, [f"{IU} is 0.39 after 24 iterations, expected 0.4"]),
    ],
)
def test_a_curve_below_its_band_is_told_once(tmp_path: Path, scores: dict[int, float], said: list[str]) -> None:
    live = Live(Spool(tmp_path), (heard := list[str]()).append, {IU: {4: 0.1, 20: 0.4}})
    for step, score in scores.items():
        live.point(step, {IU: score, "loss": 0.0})
    assert heard == said


def test_bands_are_the_scales_and_the_recipes(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(
        yaml.safe_dump({"scale": "paper", "validations": {"a": {"shards": "b", "split": "c"}}})
    )
    assert expected("train@voc-fcn32s", tmp_path) == {}, "a GPU machine has no conf/"
    (tmp_path / "conf").symlink_to(ROOT / "conf")
    assert expected("train@voc-fcn32s", tmp_path) == expected("validate@voc-fcn32s", tmp_path)
    assert expected("train@voc-fcn32s", tmp_path)[IU] == {4000: 0.1, 20000: 0.4}
    assert expected("train@nyud-fcn32s-hha", tmp_path) == {}
    (tmp_path / "conf").unlink()
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/expect.yaml").write_text("paper: {voc-fcn32s: {loss: 4}}")
    with pytest.raises(Refusal, match=r"expect\.yaml: voc-fcn32s is not understood .*: write curve: {it"):
        expected("train@voc-fcn32s", tmp_path)
    assert (validation("a", tmp_path), validation("z", tmp_path)) == (tmp_path / "data/shards/b/c", None)


def test_every_band_is_of_a_recipe_with_milestones_and_a_validation_split() -> None:
    from ops.compose import composed

    for scale, recipes in yaml.safe_load((ROOT / "conf/expect.yaml").read_text()).items():
        params = yaml.safe_load(composed(ROOT, (f"scale={scale}",)))
        for recipe, curves in recipes.items():
            every = params["recipes"][recipe]["solver"]["milestones"]
            assert recipe in params["validations"] and set(curves) == {IU}
            assert all(step % every == 0 and 0 < least < 1 for step, least in curves[IU].items())
