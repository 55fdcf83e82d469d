"""Bring spooled events into MLflow: each once, in order, into the one run of their stage and fingerprint."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from pathlib import Path

# connect sets what MLflow reads when it is imported, so MLflow comes after it
from mlflow import MlflowClient

from pipeline.tracking import spool
from pipeline.tracking.connect import connect
from pipeline.tracking.delivery import Delivery, Sent, news


def drain(root: Path, spools: Path) -> list[Sent]:
    """Send what is not sent yet of every spool under ``spools`` to the tracking server that ``root`` uses.

    One process at a time does so; others wait. A process that died without a word has its run KILLED. A spool that
    ended well and is sent is removed, and with it the finished ones of the stage's earlier fingerprints.

    Raises Refusal when nobody answers and MlflowException when the server falls silent halfway; what is not sent then
    stays, and no event is sent twice.
    """
    return Sender(root, spools).send(spool.spools(spools))


class Sender:
    """Drains some of the spools under ``spools`` again and again; it asks the server once for what each run has.

    After a pass that failed it has forgotten everything, and asks anew.
    """

    def __init__(self, root: Path, spools: Path) -> None:
        self.root = root
        self.spools = spools
        self.name = uuid.uuid4().hex
        self._server: tuple[MlflowClient, str] | None = None
        self._known: dict[Path, Delivery] = {}

    def goes_on(self, folder: Path) -> bool:
        """Whether the run of the spool ``folder`` was seen to be RUNNING on the server."""
        return folder in self._known and self._known[folder].state["status"] == "RUNNING"

    def send(self, folders: Iterable[Path]) -> list[Sent]:
        """As ``drain``, of the spools ``folders`` alone."""
        folders = [folder for folder in folders if news(folder)]
        if not folders:
            return []
        with spool.alone(self.spools / ".drain.lock"):
            server, known = self._server, self._known
            self._server, self._known = None, {}
            server = server or connect(self.root)
            sent = []
            for folder in filter(news, folders):
                known[folder] = known.get(folder) or Delivery(folder, *server, self.name)
                sent.append(known[folder].send())
            self._server, self._known = server, {folder: known[folder] for folder in known if folder.is_dir()}
        return sent
