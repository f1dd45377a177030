"""Exclusive use of the board, for many threads: leases over several requests, and single turns."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from device_agent.processes.jobs import StoppingError
from device_agent.turns.line import Clock, Lease, Line, Place
from device_agent.web.logs import log


def new_id() -> str:
    """An id that nobody can guess."""
    return secrets.token_hex(16)


@dataclass(frozen=True)
class Turn:
    """A request for one job.

    client: who asks, for people to read. token: that of the lease under which the job runs; without
    one the request stands in the line itself, as `id`, and leaves it with its job.
    """

    client: str
    token: int | None = None
    id: str = field(default_factory=new_id)


@dataclass(frozen=True)
class Occupation:
    """Who has the board (None if nobody), how many wait for it, and whether a job runs."""

    holder: Place | None
    waiting: int
    running: bool


class Leases:
    """The line for the board, for several threads. Once closed, whatever joins it or stays in it
    raises StoppingError."""

    def __init__(
        self, next_token: Callable[[], int], max_waiting: int, clock: Clock = time.monotonic
    ) -> None:
        self._line = Line(next_token, max_waiting, clock)
        self._changed = threading.Condition()
        self._closed = False

    def acquire(self, client: str, ttl_s: float) -> Place:
        """A lease, held at once where the board is free. Raises QueueFullError."""
        with self._open() as line:
            return line.join(new_id(), client, ttl_s)

    def renew(self, identity: str) -> Place:
        """The heartbeat of a lease, held or waiting. Raises LeaseLostError."""
        with self._open() as line:
            return line.renew(identity)

    def release(self, identity: str) -> None:
        """Give a lease or a turn up; under a running job it ends with that. Raises LeaseLostError.

        A request that waits for this turn stops waiting.
        """
        with self._open() as line:
            line.leave(identity)
            self._changed.notify_all()

    def occupation(self) -> Occupation:
        """The line at this moment."""
        with self._changed:
            line = self._line
            return Occupation(line.holder(), line.waiting, line.is_running)

    def require(self, turn: Turn) -> None:
        """Raise LeaseLostError where a turn's token is not that of the holder."""
        if turn.token is not None:
            with self._open() as line:
                line.holder_with(turn.token)

    @contextmanager
    def use(self, turn: Turn) -> Iterator[Lease]:
        """Wait for the turn, then have the board to the end of the block.

        Raises LeaseLostError where the token is not, or while waiting no longer is, that of the
        holder; QueueFullError.
        """
        lease = self._begin(turn)
        try:
            with logged(lease):
                yield lease
        finally:
            self._end()

    def close(self) -> None:
        """Turn away all that wait and all that come."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @contextmanager
    def _open(self) -> Iterator[Line]:
        with self._changed:
            self._check_open()
            yield self._line

    def _check_open(self) -> None:
        if self._closed:
            raise StoppingError("the agent is stopping")

    def _begin(self, turn: Turn) -> Lease:
        with self._open() as line:
            if turn.token is not None:
                return self._await_start(line.holder_with(turn.token).id)
            try:
                line.join(turn.id, turn.client)
                lease = self._await_start(turn.id)
                line.leave(turn.id)
                return lease
            except BaseException:
                line.discard(turn.id)
                self._changed.notify_all()
                raise

    def _await_start(self, identity: str) -> Lease:
        # The clock wakes a waiting thread when a lease before it may have expired.
        while (lease := self._line.try_start(identity)) is None:
            self._changed.wait(self._line.next_expiry_s())
            self._check_open()
        return lease

    def _end(self) -> None:
        with self._changed:
            self._line.finish()
            self._changed.notify_all()


@contextmanager
def logged(lease: Lease) -> Iterator[None]:
    """Two lines around a job: by them one can check later that no two jobs overlapped."""
    log.info("job started", token=lease.token)
    try:
        yield
    finally:
        log.info("job ended", token=lease.token)
