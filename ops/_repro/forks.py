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
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

STAGE = re.compile(r"python -m stages\.\w+( [\w@./=:+-]+)*")  # no quotes and nothing that a shell would read
Process = tuple[IO[str], Callable[[], tuple[int, float]]]  # what it prints; exit code as Popen has it, seconds of CPU
OURS = ("pipeline", "stages")
SHARED = (  # pipeline before torch, for it pins the kernels; the rest is other people's, for our code may change
    *("pipeline", "click", "matplotlib.backends.backend_agg", "matplotlib.figure", "numpy", "PIL.Image"),
    *("pyarrow.parquet", "safetensors.torch", "scipy.ndimage", "simplejpeg", "torch", "tqdm", "yaml"),
)

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([*SHARED])  # what a project of other stages lacks is passed over


def fork(command: str, folder: str, environment: Mapping[str, str]) -> Process | None:
    """Run ``command`` in ``folder``; ``environment`` is what it has beyond this process's.

    None for all but a stage's command, and where the process to fork from is gone: a shell runs any command.
    """
    if not STAGE.fullmatch(command):
        return None
    _, _, module, *arguments = shlex.split(command)
    reader, writer = _context.Pipe(duplex=False)
    cpu = _context.RawValue("d", 0.0)  # stays 0 where a signal ends the process
    process = _context.Process(target=_run, args=(module, arguments, folder, dict(environment), writer, cpu))
    try:
        process.start()
    except (EOFError, OSError):
        return None
    finally:
        writer.close()
    with reader:
        output = os.fdopen(os.dup(reader.fileno()), encoding="utf-8", errors="replace")

    def ended() -> tuple[int, float]:
        process.join()
        return process.exitcode or 0, cpu.value

    return output, ended


def _run(
    module: str, arguments: list[str], folder: str, environment: dict[str, str], output: Connection, cpu: Any
) -> None:
    for stream in (1, 2):
        os.dup2(output.fileno(), stream)
    output.close()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.chdir(folder)
    os.environ.update(environment)
    with suppress(OSError):  # only Linux has it: how `top` calls the process, in 15 characters
        Path("/proc/self/comm").write_text(" ".join([module.removeprefix("stages."), *arguments])[:15])
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
    sys.argv[1:] = arguments
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        cpu.value = sum(os.times()[:4])  # its own and its ended children's, user and system
