"""Compose params.yaml from conf/, as ``dvc exp run -S`` does: python -m ops.compose [scale=photos …]."""

from __future__ import annotations

from pathlib import Path

import click
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf

from pipeline.core.types import Refusal
from stages.shared.stage import Stage


def composed(root: Path, overrides: tuple[str, ...] = ()) -> str:
    """The text of params.yaml that ``conf/`` gives under Hydra ``overrides``, byte for byte what DVC writes.

    Raises Refusal for an override that Hydra does not understand, or of what is not there.
    """
    try:
        with initialize_config_dir(str(root / "conf"), version_base=None):
            config = compose(config_name="config", overrides=list(overrides))
    except HydraException as error:
        raise Refusal(f"{' '.join(overrides)}: {' '.join(str(error).split())}") from None
    OmegaConf.resolve(config)
    return OmegaConf.to_yaml(config)


@click.command(cls=Stage)
@click.argument("overrides", nargs=-1)
def main(overrides: tuple[str, ...]) -> None:
    """Write params.yaml; `dvc repro` then runs what it says."""
    Path("params.yaml").write_text(composed(Path.cwd(), overrides), encoding="utf-8")


if __name__ == "__main__":
    main()
