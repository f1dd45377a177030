"""A real service in processes of its own, which can be killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from bench.program import PROGRAM
from haq.local_board import free_port

SERVE = (*PROGRAM, "serve")
KEY = "correct horse battery staple"
HEADERS = {"Authorization": f"Bearer {KEY}"}
START_S = 120.0


@dataclass
class Server:
    """A service on a fixed port; its data and its log lie in the folder."""

    folder: Path
    settings: Mapping[str, str]
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        """Its data folder."""
        return self.folder / "data"

    @property
    def log(self) -> str:
        """What it and its workers wrote."""
        return (self.folder / "log").read_text(errors="replace")

    @property
    def pid(self) -> int:
        """Of the process that serves."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Begin to serve, and wait until it does."""
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = {k: v for k, v in os.environ.items() if not k.startswith("HAQ_SERVICE_")}
        own = {"DATA_DIR": str(self.data), "PORT": str(self.port), "ADMIN_KEY": KEY}
        given = {f"HAQ_SERVICE_{k}": v for k, v in {**own, **self.settings}.items()}
        environ = {**kept, "HAQ_CACHE": str(self.folder / "cache"), "OMP_NUM_THREADS": "1", **given}
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(SERVE, stdout=log, stderr=log, env=environ)
        wait_until(self._answers, START_S)

    def kill(self) -> None:
        """End it at once, as a lack of memory or of power would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def workers(self) -> list[int]:
        """Process ids of its workers."""
        return children(self.pid)

    def processes(self) -> list[int]:
        """It, its workers, and what these have started."""
        found = [self.pid]
        for pid in found:
            found += children(pid)
        return found

    def client(self, timeout_s: float = 60.0) -> httpx2.Client:
        """A client with the key of the role admin."""
        return httpx2.Client(
            base_url=self.url, headers=HEADERS, verify=False, trust_env=False, timeout=timeout_s
        )

    def _answers(self) -> bool:
        assert self._process is not None and self._process.poll() is None, self.log
        with suppress(httpx2.HTTPError), self.client() as client:
            return client.get("/healthz").status_code == httpx2.codes.OK
        return False


def children(pid: int) -> list[int]:
    """Processes that one has started."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, task.read_text().split())
    return found


def kill_one(pids: Sequence[int]) -> None:
    """Kill the first of processes that may have ended already."""
    for pid in pids[:1]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def wait_until(condition: Callable[[], object], timeout_s: float) -> None:
    """Raise TimeoutError where it does not come true."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_s} s")
        time.sleep(0.05)
