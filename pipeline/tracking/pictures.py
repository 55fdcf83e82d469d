"""Pictures as MLflow's pages find them: whole as PNG and small as WebP, under names that tell the key and the step.

``MlflowClient.log_image`` writes the same two files. It encodes the PNG anew, and asks the server three times.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from mlflow import MlflowClient
from mlflow.tracking.multimedia import compress_image_size
from mlflow.utils.mlflow_tags import MLFLOW_LOGGED_IMAGES
from PIL import Image

from pipeline.tracking import uri as uri  # it sets what MLflow reads when it is imported, so MLflow comes after it
from pipeline.tracking.record import key
from pipeline.tracking.spool import Event

FOLDER = "images"
TAGS = {MLFLOW_LOGGED_IMAGES: "True"}  # of a run that has any


def named(event: Event) -> str:
    """What the files of the ``picture`` event are called, up to its time."""
    return f"{key(event['key']).replace('/', '~')}+step+{event['step']}"


def shown(client: MlflowClient, run_id: str) -> set[str]:
    """The pictures of which the run has both files, as they are ``named``."""
    files = client.list_artifacts(run_id, FOLDER)
    counts = Counter(Path(file.path).name.partition("+timestamp+")[0] for file in files)
    return {name for name, count in counts.items() if count > 1}


def show(client: MlflowClient, run_id: str, folder: Path, events: Mapping[str, Event]) -> None:
    """Attach the pictures of ``events``, by name, from ``folder``; one that is sent again replaces itself."""
    if not events:
        return
    with tempfile.TemporaryDirectory() as scratch:
        for name, event in events.items():
            path = f"{scratch}/{name}+timestamp+{event['time']}"
            path += f"+{uuid.uuid5(uuid.NAMESPACE_URL, path.removeprefix(scratch))}"
            shutil.copyfile(folder / event["file"], f"{path}.png")
            with Image.open(folder / event["file"]) as image:
                compress_image_size(image).save(f"{path}+compressed.webp", method=1)  # 4 takes thrice the time
        client.log_artifacts(run_id, scratch, FOLDER)
