"""An agent that is killed in the middle of its work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from haq.local_board import free_port
from tests.device_agent.conftest import KEY
from tests.device_agent.server import AGENT, Server, start


@dataclass
class Mortal:
    """An agent on a fixed port that can be killed and started again on an empty folder."""

    folder: Path
    port: int
    lives: list[Server] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def live(self) -> None:
        folder = self.folder / str(len(self.lives))
        folder.mkdir()
        self.lives.append(start(folder, AGENT, {"KEY": KEY, "PORT": str(self.port)}))

    def die(self) -> None:
        self.lives[-1].process.kill()
        self.lives[-1].process.wait()


@contextmanager
def mortal(folder: Path) -> Iterator[Mortal]:
    agent = Mortal(folder, free_port())
    agent.live()
    try:
        yield agent
    finally:
        agent.die()


class Killer(httpx2.BaseTransport):
    """Kills the agent in the jobs of these numbers: `delay_s` after the job has been sent, or,
    without a delay, when the job is done and its answer under way.

    `then` is called when the agent is dead.
    """

    def __init__(
        self,
        agent: Mortal,
        kill_at: Set[int],
        delay_s: float | None = None,
        then: Callable[[], None] = lambda: None,
    ) -> None:
        self.agent, self.kill_at, self.delay_s, self.then = agent, kill_at, delay_s, then
        self.jobs = 0
        self._inner = httpx2.HTTPTransport()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        is_job = request.method == "POST" and request.url.path in {"/v1/measure", "/v1/profile"}
        self.jobs += is_job
        if not is_job or self.jobs not in self.kill_at:
            return self._inner.handle_request(request)
        if self.delay_s is not None:
            threading.Timer(self.delay_s, self.kill).start()
            return self._inner.handle_request(request)
        self._inner.handle_request(request).close()
        self.kill()
        raise httpx2.ReadError("connection reset")

    def kill(self) -> None:
        self.agent.die()
        self.then()

    def close(self) -> None:
        self._inner.close()
