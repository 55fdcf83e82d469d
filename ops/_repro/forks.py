"""Start stages from one process that has imported what they share: a fork takes milliseconds, importing torch seconds.

A stage is then what `python -m stages.…` is: the same code, read when it starts, in a process of its own.
"""

import multiprocessing
import os
import re
import resource
import runpy
import shlex
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

STAGE = re.compile(r"python -m stages\.\w+( [\w@./=:+-]+)*")  # no quotes and nothing that a shell would read
Process = tuple[IO[str], Callable[[], tuple[int, float, int]]]  # what it prints; exit code as Popen has it, CPU s, KiB
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
    spent = _context.RawArray("d", 2)  # stays 0 where a signal ends the process
    process = _context.Process(target=_run, args=(module, arguments, folder, dict(environment), writer, spent))
    try:
        process.start()
    except (EOFError, OSError):
        return None
    finally:
        writer.close()
    with reader:
        output = os.fdopen(os.dup(reader.fileno()), encoding="utf-8", errors="replace")

    def ended() -> tuple[int, float, int]:
        process.join()
        return process.exitcode or 0, spent[0], int(spent[1])

    return output, ended


def _run(module: str, arguments: list[str], folder: str, more: dict[str, str], output: Connection, spent: Any) -> None:
    for stream in (1, 2):
        os.dup2(output.fileno(), stream)
    output.close()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.chdir(folder)
    os.environ.update(more)
    with suppress(OSError):  # only Linux has it: how `top` calls the process, in 15 characters
        Path("/proc/self/comm").write_text(" ".join([module.removeprefix("stages."), *arguments])[:15])
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
    sys.argv[1:] = arguments
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        spent[:] = sum(each.ru_utime + each.ru_stime for each in used), max(each.ru_maxrss for each in used)
