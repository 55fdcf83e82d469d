"""Compose params.yaml from conf/, as ``dvc exp run -S`` does: python -m ops.compose [scale=photos …]."""

from __future__ import annotations

from pathlib import Path

import click
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf


def composed(root: Path, overrides: tuple[str, ...] = ()) -> str:
    """The text of params.yaml that ``conf/`` gives under Hydra ``overrides``, byte for byte what DVC writes."""
    with initialize_config_dir(str(root / "conf"), version_base=None):
        config = compose(config_name="config", overrides=list(overrides))
    OmegaConf.resolve(config)
    return OmegaConf.to_yaml(config)


@click.command()
@click.argument("overrides", nargs=-1)
def main(overrides: tuple[str, ...]) -> None:
    """Write params.yaml; `dvc repro` then runs what it says."""
    Path("params.yaml").write_text(composed(Path.cwd(), overrides), encoding="utf-8")


if __name__ == "__main__":
    main()
