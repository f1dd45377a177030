"""A service in processes of its own, as `haq serve` starts it, and a browser to look at it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.error import URLError

import pytest
from playwright.sync_api import Browser, sync_playwright

ADMIN_KEY = "correct horse battery staple"
PATIENCE_S = 300.0
SERVE = "import sys; from haq.cli import main; sys.argv = ['haq', 'serve']; main()"
T = TypeVar("T")


@dataclass(frozen=True)
class Served:
    """Where it is, and the process id of the server."""

    address: str
    pid: int

    def kill_worker(self) -> None:
        """End the worker as a machine without power would."""
        (worker,) = children(self.pid, "api.workers.tied")
        os.kill(worker, signal.SIGKILL)


@contextmanager
def serve(data_dir: Path) -> Iterator[Served]:
    """With one worker, until the end of the block."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    settings = {
        "DATA_DIR": str(data_dir),
        "ADMIN_KEY": ADMIN_KEY,
        "PORT": str(port),
        "LEASE_S": "2",
        "PER_MINUTE": "100000",
    }
    environ = os.environ | {f"HAQ_SERVICE_{name}": value for name, value in settings.items()}
    with (data_dir.parent / "serve.log").open("wb") as log:
        process = subprocess.Popen((sys.executable, "-c", SERVE), env=environ, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(lambda: answers(f"{address}/healthz"))
        yield Served(address, process.pid)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def browser() -> Iterator[Browser]:
    """The system's Chromium; the test is skipped where there is none."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("there is no chromium")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield found
        found.close()


def wait_for(condition: Callable[[], T | None], patience_s: float = PATIENCE_S) -> T:
    """What a condition gives, as soon as it gives something."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if (found := condition()) is not None:
            return found
        time.sleep(0.1)
    raise AssertionError("waited in vain")


def answers(address: str) -> bool | None:
    """Whether somebody answers there by now."""
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except URLError:
        return None


def children(parent: int, words: str) -> list[int]:
    """Processes that another one has started, with these words in their command."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state = (folder / "stat").read_text()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it has ended meanwhile
            continue
        owner = re.fullmatch(r"\d+ \(.*\) \S (\d+) .*", state, re.DOTALL)
        if owner and int(owner[1]) == parent and words in command:
            found.append(int(folder.name))
    return found
