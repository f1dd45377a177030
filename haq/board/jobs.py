"""Jobs on a board: each in its turn, and done once however often it has to be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from haq.board._base import Tell, silent
from haq.board.connection import ANSWER_BYTES, Connection, persistent
from haq.board.failures import LeaseLostError
from haq.board.lease import Lease


@dataclass(frozen=True)
class Job:
    """What is asked of a route; how long it may take once it is its turn; its answer's size.

    `key` is the same in every attempt, so that the agent does the work once.
    """

    path: str
    request: Mapping[str, object]
    timeout_s: float
    limit_bytes: int
    key: str


class Jobs:
    """Runs jobs on the board of a connection."""

    def __init__(
        self, connection: Connection, tell: Tell = silent, queue_limit_s: float | None = None
    ) -> None:
        """As for `Lease`."""
        self._connection, self._tell, self._queue_limit_s = connection, tell, queue_limit_s
        self._leases: set[Lease] = set()

    def close(self) -> None:
        """Give the board back although jobs may still run, in other threads."""
        for lease in tuple(self._leases):
            lease.release()

    def run(
        self,
        path: str,
        request: Mapping[str, object],
        timeout_s: float,
        limit_bytes: int = ANSWER_BYTES,
    ) -> Any:
        """The answer; waiting for the board is no part of `timeout_s`. Raises BoardError."""
        job = Job(path, request, timeout_s, limit_bytes, uuid4().hex)
        lease = Lease(self._connection, self._tell, self._queue_limit_s)
        self._leases.add(lease)
        try:
            lease.take()
            return persistent(self._attempt, job, lease)
        finally:
            lease.release()
            self._leases.discard(lease)

    def _attempt(self, job: Job, lease: Lease) -> Any:
        try:
            return self._send(job, lease)
        except LeaseLostError:
            lease.take()
            return self._send(job, lease)

    def _send(self, job: Job, lease: Lease) -> Any:
        return self._connection.ask_once(
            "POST",
            job.path,
            json=job.request,
            headers={"Haq-Lease": str(lease.token), "Idempotency-Key": job.key},
            timeout_s=job.timeout_s,
            limit_bytes=job.limit_bytes,
        )
