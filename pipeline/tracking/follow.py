"""Follow the spools of a repository while stages write them; run: python -m pipeline.tracking.follow ROOT SPOOLS.

Stages start it often, and most often there is one already: so nothing is imported here before that is known.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from pipeline.tracking import spool


def follow(root: Path, spools: Path) -> None:
    """Drain until no stage is left that writes; the only follower of ``spools``, or none: another one is enough.

    A stage that meets the lock starts no follower. So the lock is let go before the last look for such a stage.

    A server that does not answer costs nothing but its events' waiting: the last pass that fails leaves them to
    ``fcn sync``.
    """
    watch = None
    while watch is None or watch.look():
        try:
            with spool.alone(spools / spool.FOLLOWER, wait=False):
                from pipeline.tracking.watch import Watch  # it loads MLflow, which takes seconds

                watch = watch or Watch(root, spools)
                watch.until_quiet()
        except BlockingIOError:
            return


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    os.nice(10)  # a stage needs the processor more
    follow(Path(sys.argv[1]), Path(sys.argv[2]))
