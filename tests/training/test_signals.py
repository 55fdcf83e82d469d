"""A signal sets a flag and no more; the process then ends with 143, whatever else arrives."""

from __future__ import annotations

import signal
import subprocess
import sys

from pipeline.training.signals import noticed
from tests.closure import ROOT

ASKED_TWICE = """
import os, signal
from pipeline.training.signals import Stopped, noticed
with noticed() as asked:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGTERM):
        os.kill(os.getpid(), number)
    print(asked(), flush=True)
for number in (signal.SIGTERM, signal.SIGINT):
    os.kill(os.getpid(), number)
raise Stopped
"""


def test_a_process_asked_again_and_again_ends_with_143() -> None:
    done = subprocess.run([sys.executable, "-c", ASKED_TWICE], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (143, "True\n", "")


def test_without_a_signal_the_handlers_come_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with noticed() as asked:
        assert not asked()
        assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] != before
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
