"""A place in a board's queue."""

from __future__ import annotations

import math
import socket
import time
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from haq.board._base import Tell, silent
from haq.board.answers import LeaseState, read_lease
from haq.board.connection import Connection
from haq.board.failures import LeaseLostError
from quant.errors import BoardBusyError, BoardError

TTL_S = 60.0
POLL_S = 0.5
RELEASE_TIMEOUT_S = 5.0


class Lease:
    """Taken before a job, released after it; `token` proves that the board is ours."""

    def __init__(
        self, connection: Connection, tell: Tell = silent, queue_limit_s: float | None = None
    ) -> None:
        """`tell` hears the place in the queue; `queue_limit_s` bounds the wait for the board."""
        self.token = 0
        self._connection, self._tell = connection, tell
        self._limit_s = math.inf if queue_limit_s is None else queue_limit_s
        self._path: str | None = None

    def take(self) -> None:
        """Wait until the board is ours. Raises BoardBusyError where that takes too long."""
        give_up = time.monotonic() + self._limit_s
        state, place = self._join(), 0
        while state.token is None:
            if time.monotonic() > give_up:
                raise BoardBusyError(
                    f"the board at {self._connection.url} is in use: still at place "
                    f"{state.position} of its queue after {self._limit_s:g} s"
                )
            if state.position != place:
                place = state.position
                self._tell(f"waiting for {self._connection.url}: place {place} of its queue")
            time.sleep(POLL_S)
            state = self._stay()
        self.token = state.token

    def release(self) -> None:
        """Leave the queue, if the agent can still be told; if not, the lease runs out."""
        if self._path is not None:
            with suppress(BoardError):
                self._connection.ask_once("DELETE", self._path, timeout_s=RELEASE_TIMEOUT_S)
        self._path = None

    def _join(self) -> LeaseState:
        request = {"client": socket.gethostname()[:100] or "haq", "ttl_s": TTL_S}
        state = self._read(self._connection.ask("POST", "/v1/leases", json=request))
        self._path = f"/v1/leases/{quote(state.id, safe='')}"
        return state

    def _stay(self) -> LeaseState:
        """Say that we still wait; an agent that was started anew has forgotten it."""
        assert self._path is not None
        try:
            return self._read(self._connection.ask("PUT", self._path))
        except LeaseLostError:
            return self._join()

    def _read(self, answer: Any) -> LeaseState:
        return self._connection.understand(read_lease, answer)
