"""Import a net that the authors released, without Caffe: python -m stages.import_weights KEY."""

from pathlib import Path

import click

from pipeline.released.released import import_released
from stages.shared.dvc import declared
from stages.shared.stage import Stage


@click.command(cls=Stage)
@click.argument("key")
def main(key: str) -> None:
    """The caffemodel of params.yaml's imports.KEY → runs/KEY/model.safetensors, and import.json: each blob's fate."""
    row = declared(f"import-weights@{key}")[f"imports.{key}"]
    import_released(key, Path(row["folder"], row["file"]), row["net"]["name"], Path("runs", key))


if __name__ == "__main__":
    main()
