"""`python -m stages.train noise-fcn` without its start: torch is imported once, and each training is a fork of that."""

from __future__ import annotations

import multiprocessing
import os
import warnings
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from stages.train import main

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([__name__])


def start(root: Path, *, seconds: float, log: Path) -> ForkServerProcess:
    """Train in ``root`` with a snapshot every so many ``seconds``; what is said goes to ``log``."""
    process = CONTEXT.Process(target=_train, args=(root, seconds, log))
    process.start()
    return process


def _train(root: Path, seconds: float, log: Path) -> None:
    with log.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(root)
    os.environ["FCN_SNAPSHOT_SECONDS"] = str(seconds)
    warnings.simplefilter("error")
    main(["noise-fcn"])
