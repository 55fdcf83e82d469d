"""Start a stage as DVC does, one process or several under torchrun; ``fcn`` in this process; and git."""

import os
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner, Result

from ops.fcn import main
from tests.closure import ROOT


def launch(folder: Path, *command: str, processes: int = 1, restarts: int = 0) -> subprocess.Popen[str]:
    """``python -m COMMAND`` or ``torchrun … -m COMMAND``; a warning in any process is an error."""
    torchrun = ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", f"--max-restarts={restarts}"]
    return subprocess.Popen(
        [sys.executable, "-m", *([*torchrun, "-m"] if processes > 1 else ()), *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What a successful process printed, to stdout and to stderr."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out, err


def another_maker() -> list[str]:
    """The command of a Python on an emulated processor of another maker than this machine's: qemu-user, if it is here.

    Its models Haswell, Skylake-Client and EPYC all gave the digests when these were made.
    """
    cpus = Path("/proc/cpuinfo")
    model = "EPYC" if cpus.exists() and "GenuineIntel" in cpus.read_text() else "Haswell"
    return ["qemu-x86_64", "-cpu", model, str(Path(sys.executable).resolve())]


def fcn(*arguments: str, code: int | None = None) -> Result:
    """``fcn ARGUMENTS`` in the working directory, which must end with ``code`` where one is given."""
    done = CliRunner().invoke(main, arguments)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert code is None or done.exit_code == code, done.output
    return done


def git(root: Path, *arguments: str) -> str:
    """What ``git ARGUMENTS`` prints in ``root``, where it must succeed."""
    identity = ("-c", "user.name=somebody", "-c", "user.email=somebody@localhost", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()
