"""The line for the board: who has it, and who waits for it. No threads, no clock of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from quant.errors import BoardError

Clock = Callable[[], float]
"""Seconds from any start; never goes back."""


class LeaseLostError(BoardError):
    """A lease that is unknown, expired or released, or another client has the board."""


class QueueFullError(BoardError):
    """As many clients wait as may wait."""


@dataclass(frozen=True)
class Lease:
    """A place in the line; who holds the board has a token.

    ttl_s: seconds without a heartbeat after which the place is lost; infinite for a request that
    waits itself. expires_at_s: when that is, by the line's clock. token: fencing token, larger than
    every one given before; None while waiting. ended: given up while its job runs.
    """

    id: str
    client: str
    ttl_s: float
    expires_at_s: float
    token: int | None = None
    ended: bool = False


@dataclass(frozen=True)
class Place:
    """How a lease stands at the moment: `position` is 0 for the one that holds the board.

    expires_in_s: the whole time to live while its job runs.
    """

    lease: Lease
    position: int
    expires_in_s: float


class Line:
    """Leases, first come first served; the first one holds the board. Not for several threads.

    Every look at it first drops what has expired and gives a token to the one that is then first.
    """

    def __init__(self, next_token: Callable[[], int], max_waiting: int, clock: Clock) -> None:
        self.next_token = next_token
        self.max_waiting = max_waiting
        self.clock = clock
        self._leases: dict[str, Lease] = {}
        self._running: str | None = None

    @property
    def is_running(self) -> bool:
        """Whether a job runs."""
        return self._running is not None

    @property
    def waiting(self) -> int:
        """Leases that wait."""
        self._update()
        return max(0, len(self._leases) - 1)

    def holder(self) -> Place | None:
        """Who has the board."""
        self._update()
        first = next(iter(self._leases), None)
        return None if first is None else self._place(first)

    def join(self, identity: str, client: str, ttl_s: float = math.inf) -> Place:
        """Stand at the end. Raises QueueFullError."""
        if self.waiting >= self.max_waiting:
            raise QueueFullError(f"{self.max_waiting} clients wait for the board: try again later")
        self._leases[identity] = Lease(identity, client, ttl_s, self.clock() + ttl_s)
        self._update()
        return self._place(identity)

    def renew(self, identity: str) -> Place:
        """Let the time to live start anew. Raises LeaseLostError."""
        self._extend(self._find(identity))
        return self._place(identity)

    def leave(self, identity: str) -> None:
        """Give a place up; who has a job running keeps the board to its end.

        Raises LeaseLostError.
        """
        lease = self._find(identity)
        if self._running == identity:
            self._leases[identity] = replace(lease, ended=True)
        else:
            del self._leases[identity]

    def discard(self, identity: str) -> None:
        """Forget a place that has no job running, whether it is there or not."""
        self._leases.pop(identity, None)

    def holder_with(self, token: int) -> Lease:
        """The lease that holds the board by this token. Raises LeaseLostError."""
        self._update()
        first = next(iter(self._leases.values()), None)
        if first is None or first.ended or first.token != token:
            raise LeaseLostError(f"token {token} does not hold the board: take a lease again")
        return first

    def try_start(self, identity: str) -> Lease | None:
        """Begin a job, or None where it is not yet its turn. Raises LeaseLostError."""
        lease = self._find(identity)
        if self.is_running or lease.token is None:
            return None
        self._running = identity
        return lease

    def finish(self) -> None:
        """The job is over: its lease starts anew, or goes where it was given up meanwhile."""
        assert self._running is not None
        lease, self._running = self._leases[self._running], None
        if lease.ended:
            del self._leases[lease.id]
        else:
            self._extend(lease)

    def next_expiry_s(self) -> float | None:
        """Seconds until the next lease expires unless it is renewed; None if none does."""
        ends = [x.expires_at_s for x in self._leases.values() if x.id != self._running]
        first = min(ends, default=math.inf)
        return None if math.isinf(first) else max(0.0, first - self.clock())

    def _find(self, identity: str) -> Lease:
        self._update()
        lease = self._leases.get(identity)
        if lease is None or lease.ended:
            raise LeaseLostError("the lease is unknown, expired or released: take one again")
        return lease

    def _extend(self, lease: Lease) -> None:
        self._leases[lease.id] = replace(lease, expires_at_s=self.clock() + lease.ttl_s)

    def _update(self) -> None:
        """Drop what has expired, except under a running job; the first one holds the board."""
        now = self.clock()
        for lease in list(self._leases.values()):
            if lease.expires_at_s <= now and lease.id != self._running:
                del self._leases[lease.id]
        first = next(iter(self._leases.values()), None)
        if first is not None and first.token is None:
            self._leases[first.id] = replace(first, token=self.next_token())

    def _place(self, identity: str) -> Place:
        lease = self._leases[identity]
        left_s = lease.ttl_s if self._running == identity else lease.expires_at_s - self.clock()
        return Place(lease, list(self._leases).index(identity), left_s)
