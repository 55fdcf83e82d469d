"""First contact with a fresh store survives company, and stays silent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTACT = (
    "import sys; from pathlib import Path; from pipeline.tracking.connect import connect; connect(Path(sys.argv[1]))"
)


@pytest.mark.slow
def test_processes_that_meet_at_a_fresh_store_all_get_in(tmp_path: Path) -> None:
    """Without a lock five of six die in MLflow's schema migration."""
    command = [sys.executable, "-W", "error", "-c", CONTACT, str(tmp_path)]
    started = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate()[1] for process in started] == [""] * 3
    assert [process.returncode for process in started] == [0] * 3
