"""`dvc repro` that a SIGTERM does not tear away from its dvc.lock: what fcn run starts for DVC's own options."""

from __future__ import annotations

import signal
import sys

from dvc.cli import main


def repro(arguments: list[str]) -> int:
    """DVC's exit code. SIGTERM is for the stage's command, which hears it too; DVC sees that fail and ends tidily."""
    signal.signal(signal.SIGTERM, lambda *_: None)
    return int(main(["repro", *arguments]))


if __name__ == "__main__":
    sys.exit(repro(sys.argv[1:]))
