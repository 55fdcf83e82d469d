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
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO

STAGE = re.compile(r"python -m stages\.\w+( [\w@./=:+-]+)*")  # no quotes and nothing that a shell would read
Ended = tuple[int, float]  # the exit code as Popen has it, and seconds of CPU
COMM = 15  # characters of a process's name that Linux keeps

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["ops._repro.preload"])


def fork(command: str, folder: str, environment: Mapping[str, str]) -> tuple[IO[str], Callable[[], Ended]] | None:
    """Run ``command`` in ``folder``: what it prints, and who waits for its end.

    ``environment`` is what it has beyond this process's. None for all but a stage's command, and where the process to
    fork from is gone: a shell runs any command.
    """
    if not STAGE.fullmatch(command):
        return None
    reader, writer = _context.Pipe(duplex=False)
    used, spent = _context.Pipe(duplex=False)
    _, _, module, *arguments = shlex.split(command)
    process = _context.Process(target=_run, args=(module, arguments, folder, dict(environment), writer, spent))
    try:
        process.start()
    except (EOFError, OSError):
        return None
    finally:
        writer.close()
        spent.close()
    output = os.fdopen(os.dup(reader.fileno()), encoding="utf-8", errors="replace")
    reader.close()
    return output, partial(_ended, process, used)


def _ended(process: BaseProcess, used: Connection) -> Ended:
    process.join()
    assert process.exitcode is not None
    with used, suppress(EOFError):  # one that a signal ended told nothing
        return process.exitcode, float(used.recv())
    return process.exitcode, 0.0


def _run(
    module: str, arguments: list[str], folder: str, environment: dict[str, str], output: Connection, spent: Connection
) -> None:
    for stream in (1, 2):
        os.dup2(output.fileno(), stream)
    output.close()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.chdir(folder)
    os.environ.update(environment)
    with suppress(OSError):  # only Linux has it: how `top` and `ps` call the process
        Path("/proc/self/comm").write_text(" ".join([module.removeprefix("stages."), *arguments])[:COMM])
    sys.argv[1:] = arguments
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        spent.send(sum(os.times()[:4]))  # its own and its ended children's, user and system
