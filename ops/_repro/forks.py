"""Start stages from one process that has imported what they share: a fork takes milliseconds, importing torch seconds.

A stage is then what `python -m stages.…` is: the same code, read when it starts, in a process of its own.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import runpy
import shlex
import sys
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO

STAGE = re.compile(r"python -m stages\.\w+( [\w@./=:+-]+)*")  # no quotes and nothing that a shell would read
COMM = 15  # characters of a process's name that Linux keeps

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["ops._repro.preload"])


def fork(command: str, folder: str, environment: Mapping[str, str]) -> tuple[BaseProcess, IO[str]] | None:
    """A process that runs ``command`` in ``folder``, and what it prints; None for all but a stage of this project.

    ``environment`` is what it has beyond this process's.
    """
    if not STAGE.fullmatch(command):
        return None
    reader, writer = _context.Pipe(duplex=False)
    _, _, module, *arguments = shlex.split(command)
    process = _context.Process(target=_run, args=(module, arguments, folder, dict(environment), writer))
    process.start()
    writer.close()
    output = os.fdopen(os.dup(reader.fileno()), encoding="utf-8", errors="replace")
    reader.close()
    return process, output


def _run(module: str, arguments: list[str], folder: str, environment: dict[str, str], output: Connection) -> None:
    for stream in (1, 2):
        os.dup2(output.fileno(), stream)
    output.close()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.chdir(folder)
    os.environ.update(environment)
    with suppress(OSError):  # only Linux has it: how `top` and `ps` call the process
        Path("/proc/self/comm").write_text(" ".join([module.removeprefix("stages."), *arguments])[:COMM])
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)
