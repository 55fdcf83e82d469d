"""Compose params.yaml from conf/, as ``dvc exp run -S`` does: python -m ops.compose [scale=photos …]."""

import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
import yaml
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pipeline.core import fields, files
from pipeline.core.types import Refusal
from pipeline.training.recipe import parse
from stages.shared.dvc import load, stages
from stages.shared.stage import Stage

OURS = ("data/shards/", "pipeline/", "runs/", "weights/")  # a folder of yours may lie anywhere, and come later


def composed(root: Path, overrides: Sequence[str] = ()) -> str:
    """The text of params.yaml that ``conf/`` gives under Hydra ``overrides``, byte for byte what DVC writes.

    Raises Refusal for an override that Hydra does not understand, of what is not there, or that puts something else in
    a number's place, for rows that no stage would take, and for names that a shell would read.
    """
    groups = [each for each in overrides if (root / "conf" / _key(each)).is_dir()]
    for each in groups:
        known = sorted(path.stem for path in (root / "conf" / _key(each)).glob("*.yaml"))
        if (name := each.partition("=")[2]) not in known:
            raise Refusal(f"{each}: {fields.nearest(name, known)}there are {', '.join(known)}")
    before = yaml.safe_load(_hydra(root, groups))
    for each in (each for each in overrides if each not in groups and each[:1] not in "+~"):
        node = before
        for step in _key(each).split("."):
            if not isinstance(node, dict) or step not in node:
                hint = fields.nearest(step, node if isinstance(node, dict) else ())
                raise Refusal(f"{each}: there is no {step}: {hint}+{each} adds it")
            node = node[step]
    text = _hydra(root, overrides)
    after = fields.flat(yaml.safe_load(text))
    for name, was in fields.flat(before).items():
        if isinstance(was, int | float) and not isinstance(after.get(name), (int, type(was), type(None))):
            whole = "a whole" if isinstance(was, int) else "a"
            raise Refusal(f"{name} is {after[name]!r}, in place of {was}: write {whole} number")
    _check(root, text)
    return text


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]


def _hydra(root: Path, overrides: Sequence[str]) -> str:
    try:
        with initialize_config_dir(str(root / "conf"), version_base=None):
            config = compose(config_name="config", overrides=list(overrides))
        OmegaConf.resolve(config)
    except (HydraException, OmegaConfBaseException) as error:
        raise Refusal(f"{' '.join(overrides)}: {' '.join(str(error).split())}") from None
    except yaml.YAMLError:
        for path in sorted((root / "conf").rglob("*.yaml")):
            load(path)  # refuses the one to blame
        raise
    return OmegaConf.to_yaml(config)


def _check(root: Path, text: str) -> None:
    """Read dvc.yaml with these params as every command does, and recipes as training does."""
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copy(root / "dvc.yaml", scratch)
        Path(scratch, "params.yaml").write_text(text, encoding="utf-8")
        found = stages(Path(scratch)).values()
    for name, row in yaml.safe_load(text)["recipes"].items():
        parse(name, {group: row[group] for group in row if group != "evaluate"})
    outs = [out for stage in found for out in stage.outs]
    for address, dep in [(stage.address, dep) for stage in found for dep in stage.deps]:
        if dep.startswith(OURS) and dep not in outs and not (root / dep).exists():
            hint = fields.nearest(dep, outs).strip() or "docs/own-data.md tells where nets and data come from"
            raise Refusal(f"{address} reads {dep}, which is not here, and no stage writes it: {hint}")


@click.command(cls=Stage)
@click.argument("overrides", nargs=-1)
def main(overrides: tuple[str, ...]) -> None:
    """Write params.yaml; `dvc repro` then runs what it says.

    A scale or study that is named here becomes the one of conf/config.yaml, which `dvc exp run` composes anew.
    """
    files.write_text(Path("params.yaml"), composed(Path.cwd(), overrides))
    text = before = (config := Path("conf/config.yaml")).read_text(encoding="utf-8")
    for each in overrides:
        group, _, name = each.partition("=")
        text, chosen = re.subn(rf"^(  - {re.escape(group)}:) \S+", rf"\1 {name}", text, flags=re.MULTILINE)
        if not chosen:
            click.echo(f"dvc exp run composes anew: give it -S '{each}', too")
    if text != before:
        files.write_text(config, text)
        click.echo("conf/config.yaml says so now, too: `dvc exp run` starts there")


if __name__ == "__main__":
    main()
