"""A real agent in a process of its own."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import uvicorn
from starlette.types import ASGIApp

from tests.device_agent.conftest import KEY

AGENT = (sys.executable, "-m", "device_agent")
UVICORN = (sys.executable, "-m", "uvicorn", "device_agent:app", "--port", "0")
START_TIMEOUT_S = 60.0
RUNNING = re.compile(r"running on (https?://\S+)")


@dataclass(frozen=True)
class Server:
    """A running agent; `log` has all that it wrote to standard output and error."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port

    def client(self, key: str | None = KEY) -> httpx2.Client:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return httpx2.Client(
            base_url=self.url, headers=headers, verify=False, trust_env=False, timeout=60
        )

    def talk(self, *parts: bytes) -> bytes:
        """All that comes back for raw bytes."""
        return talk(self.port, *parts)


def talk(port: int, *parts: bytes) -> bytes:
    """All that comes back for raw bytes, until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", port), 20.0) as connection:
        for part in parts:
            connection.sendall(part)
        return read_to_end(connection)


def read_to_end(connection: socket.socket) -> bytes:
    found = b""
    try:
        while part := connection.recv(65536):
            found += part
    except ConnectionResetError:
        pass
    return found


def agent_env(data_dir: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """The environment without settings of its own, and with these."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HAQ_AGENT_", "UVICORN_"))}
    paths = {"HAQ_AGENT_DATA_DIR": str(data_dir / "data"), "HAQ_AGENT_PORT": "0"}
    return {**kept, **paths, **{f"HAQ_AGENT_{name}": value for name, value in settings.items()}}


def start(folder: Path, command: Sequence[str], settings: Mapping[str, str]) -> Server:
    """Start an agent and wait until it listens."""
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env=agent_env(folder, settings), cwd=Path.cwd()
        )
    deadline = time.monotonic() + START_TIMEOUT_S
    while not (found := RUNNING.search(log.read_text())):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return Server(process, found[1], log)


@contextmanager
def running(
    folder: Path, command: Sequence[str] = AGENT, **settings: str | None
) -> Iterator[Server]:
    """An agent for the time of a block, with settings by their names in capitals; `KEY=None` is
    one without a key."""
    given = {"KEY": KEY, **settings}
    server = start(folder, command, {k: v for k, v in given.items() if v is not None})
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def refused(folder: Path, command: Sequence[str] = AGENT, **settings: str) -> tuple[int, str]:
    """Exit status and standard error of an agent that must not start."""
    env = agent_env(folder, settings)
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60)
    return done.returncode, done.stderr


@contextmanager
def in_thread(app: ASGIApp, **options: Any) -> Iterator[int]:
    """The port of an application that uvicorn serves from a thread of this process."""
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="off", **options)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
