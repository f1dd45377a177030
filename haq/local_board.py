"""This machine as a board: an agent of its own, for as long as it is needed."""

from __future__ import annotations

import os
import secrets
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen, TimeoutExpired
from tempfile import TemporaryDirectory

import httpx2

from haq.board import Board
from haq.threads import without_ours
from quant.errors import BoardError

HOST = "127.0.0.1"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 5.0
POLL_S = 0.05
LOG_LINES = 5


@contextmanager
def local_agent() -> Iterator[Board]:
    """Start a device agent on this machine, give its board, and stop it; see `running_agent`."""
    with running_agent() as (url, key), Board(url, key) as board:
        yield board


@contextmanager
def running_agent() -> Iterator[tuple[str, str]]:
    """URL and key of a device agent that runs on this machine as long as the context lasts.

    The agent ends with this process even if that is killed, since it watches its standard input;
    only its temporary folder then stays behind. Raises BoardError if it does not come up.
    """
    with TemporaryDirectory(prefix="haq-agent-") as folder:
        key, url = secrets.token_urlsafe(32), f"http://{HOST}:{free_port()}"
        process = start(url, key, Path(folder))
        try:
            wait_until_up(url, process, Path(folder) / "log")
            yield url, key
        finally:
            stop(process)


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def start(url: str, key: str, folder: Path) -> Popen[bytes]:
    """The agent's process; its log and its data go to the folder."""
    port = url.rpartition(":")[2]
    command = [sys.executable, "-m", "uvicorn", "device_agent:app", "--host", HOST, "--port", port]
    with (folder / "log").open("wb") as log:
        return Popen(command, stdin=PIPE, stdout=log, stderr=STDOUT, env=agent_env(key, folder))


def agent_env(key: str, folder: Path) -> Mapping[str, str]:
    """The environment with the agent's settings."""
    return {
        **without_ours(os.environ),
        "HAQ_AGENT_KEY": key,
        "HAQ_AGENT_DATA_DIR": str(folder / "data"),
        "HAQ_AGENT_EXIT_WITH_PARENT": "1",
    }


def wait_until_up(url: str, process: Popen[bytes], log: Path) -> None:
    """Return when `/healthz` answers. Raises BoardError with the end of the log if it does not."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        if is_up(url):
            return
        time.sleep(POLL_S)
    lines = log.read_text(errors="replace").strip().splitlines()[-LOG_LINES:]
    raise BoardError(f"the local device agent did not start: {' | '.join(lines) or 'no log'}")


def is_up(url: str) -> bool:
    """Whether the agent answers."""
    try:
        asked = f"{url}/healthz"
        return httpx2.get(asked, timeout=1.0, trust_env=False, verify=False).is_success
    except httpx2.TransportError:
        return False


def stop(process: Popen[bytes]) -> None:
    """Ask the agent to end; kill it if a job keeps it. Its measuring process ends with it."""
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except TimeoutExpired:
        process.kill()
        process.wait()
    assert process.stdin is not None
    process.stdin.close()
