"""What runs on this machine, for tests of processes that must not outlive their parent."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path


def stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat behind the name: state, parent, ..."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def is_running(pid: int) -> bool:
    found = stat(pid)
    return found is not None and found[0] != "Z"


def children() -> list[int]:
    """Processes that this one started and that still run."""
    pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    found = {pid: stat(pid) for pid in pids}
    return [p for p, s in found.items() if s and s[0] != "Z" and int(s[1]) == os.getpid()]


def cpu_ticks(pid: int) -> int:
    """CPU time of a process, in clock ticks."""
    found = stat(pid)
    assert found is not None
    return int(found[11]) + int(found[12])


def wait_for(condition: Callable[[], object], timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
