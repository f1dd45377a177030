"""A board with clients and requests that do anything in any order, for Hypothesis."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count, pairwise
from threading import Event, Thread

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from device_agent.processes.jobs import StoppingError
from device_agent.turns.leases import Leases, Turn
from device_agent.turns.line import LeaseLostError, Place, QueueFullError
from tests.device_agent.fake_clock import FakeClock

NAMES = ("anna", "ben", "cleo")
TICK_S = 2.0**-9
"""Unit of the simulated time. A power of two, so that sums are exact; short, since requests that
wait look again, in real time, when a lease before them could have expired."""
MAX_WAITING = 4


def soon(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.0005)


@dataclass
class Client:
    """A client with a lease, and what it should think of it. `end_s` is when it expires."""

    name: str
    place: Place | None = None
    ttl_s: float = 0.0
    end_s: float = 0.0
    job: ExitStack | None = None
    released: bool = False


@dataclass
class Caller:
    """A request without a lease, in a thread that waits for its turn and then for `go`."""

    turn: Turn
    go: Event = field(default_factory=Event)
    inside: Event = field(default_factory=Event)
    errors: list[Exception] = field(default_factory=list)
    thread: Thread = field(default_factory=Thread)


class ExclusiveBoard(RuleBasedStateMachine):
    """Three clients with leases and some requests without, at one board.

    `order` is the line as it should be: names of clients and ids of requests.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.leases = Leases(count(1).__next__, MAX_WAITING, self.clock)
        self.clients = {name: Client(name) for name in NAMES}
        self.callers: dict[str, Caller] = {}
        self.order: list[str] = []
        self.tokens: list[int] = []
        self.events = count()
        self.open: dict[str, int] = {}
        self.intervals: list[tuple[int, int, str]] = []

    # What should be.

    def is_alive(self, client: Client) -> bool:
        running = client.job is not None
        return bool(client.place) and not client.released and (running or client.name in self.order)

    def expire(self) -> None:
        for client in self.clients.values():
            if client.job is None and client.place and client.end_s <= self.clock.now_s:
                self.leave(client.name)

    def leave(self, name: str) -> None:
        if name in self.order:
            self.order.remove(name)

    @property
    def busy(self) -> str | None:
        return next(iter(self.open), None)

    @property
    def is_full(self) -> bool:
        return len(self.order) > MAX_WAITING

    # What the recorder of the board sees.

    def begin(self, name: str) -> None:
        self.open[name] = next(self.events)

    def end(self, name: str) -> None:
        self.intervals.append((self.open.pop(name), next(self.events), name))

    # Clients with leases.

    @rule(name=st.sampled_from(NAMES), ticks=st.integers(1, 8))
    def acquire(self, name: str, ticks: int) -> None:
        client = self.clients[name]
        if client.place is not None:
            return
        if self.is_full:
            with pytest.raises(QueueFullError):
                self.leases.acquire(name, ticks * TICK_S)
            return
        self.order.append(name)
        client.ttl_s = ticks * TICK_S
        self.remember(client, self.leases.acquire(name, client.ttl_s))

    @rule(name=st.sampled_from(NAMES))
    def heartbeat(self, name: str) -> None:
        client = self.clients[name]
        if client.place is None:
            return
        if self.is_alive(client):
            self.remember(client, self.leases.renew(client.place.lease.id))
            return
        with pytest.raises(LeaseLostError):
            self.leases.renew(client.place.lease.id)
        if client.job is None:
            client.place = None

    @rule(name=st.sampled_from(NAMES))
    def release(self, name: str) -> None:
        client = self.clients[name]
        if client.place is None:
            return
        if not self.is_alive(client):
            with pytest.raises(LeaseLostError):
                self.leases.release(client.place.lease.id)
            return
        self.leases.release(client.place.lease.id)
        if client.job is None:
            self.leave(name)
            client.place = None
        client.released = client.job is not None

    @rule(name=st.sampled_from(NAMES))
    def start_job(self, name: str) -> None:
        """With the token that the client knows, be it old; a second job of the holder would wait
        for its first and is left out."""
        client = self.clients[name]
        if client.place is None or client.place.lease.token is None or client.job is not None:
            return
        stack = ExitStack()
        turn = Turn(name, client.place.lease.token)
        if not self.is_alive(client):
            with pytest.raises(LeaseLostError):
                stack.enter_context(self.leases.use(turn))
            return
        lease = stack.enter_context(self.leases.use(turn))
        assert lease.id == client.place.lease.id
        client.job = stack
        self.begin(name)

    @rule(name=st.sampled_from(NAMES))
    def finish_job(self, name: str) -> None:
        client = self.clients[name]
        if client.job is None:
            return
        self.end(name)
        client.job.close()
        client.job = None
        client.end_s = self.clock.now_s + client.ttl_s
        if client.released:
            client.released, client.place = False, None
            self.leave(name)

    @rule(ticks=st.integers(1, 4))
    def time_passes(self, ticks: int) -> None:
        self.clock.now_s += ticks * TICK_S
        self.expire()

    @rule(name=st.sampled_from(NAMES))
    def client_is_stopped_for_long_and_returns(self, name: str) -> None:
        """The others go on, and send heartbeats as they should."""
        client = self.clients[name]
        if client.place is None or client.job is not None:
            return
        for _ in range(8):
            self.time_passes(1)
            for other in NAMES:
                if other != name:
                    self.heartbeat(other)
        with pytest.raises(LeaseLostError):
            self.leases.renew(client.place.lease.id)
        token = client.place.lease.token
        if token is not None:
            with pytest.raises(LeaseLostError), self.leases.use(Turn(name, token)):
                pass
        client.place = None

    # Requests without a lease.

    @rule()
    def call(self) -> None:
        caller = Caller(Turn(f"caller {next(self.events)}"))
        full = self.is_full
        caller.thread = Thread(target=self.run_call, args=(caller,), daemon=True)
        caller.thread.start()
        if full:
            caller.thread.join(10)
            assert [type(error) for error in caller.errors] == [QueueFullError]
            return
        self.order.append(caller.turn.client)
        self.callers[caller.turn.client] = caller
        self.settle()

    def run_call(self, caller: Caller) -> None:
        try:
            with self.leases.use(caller.turn):
                self.begin(caller.turn.client)
                caller.inside.set()
                caller.go.wait(30)
                self.end(caller.turn.client)
        except Exception as error:
            caller.errors.append(error)

    @precondition(lambda self: self.busy in self.callers)
    @rule()
    def finish_call(self) -> None:
        caller = self.callers.pop(self.busy or "")
        caller.go.set()
        caller.thread.join(10)
        self.leave(caller.turn.client)
        assert not caller.errors and not caller.thread.is_alive()

    @precondition(lambda self: bool(set(self.callers) - {self.busy}))
    @rule(data=st.data())
    def caller_hangs_up(self, data: st.DataObject) -> None:
        """Only one that waits: what runs, runs to its end."""
        waiting = [name for name in self.callers if name != self.busy]
        caller = self.callers.pop(data.draw(st.sampled_from(waiting)))
        self.leases.release(caller.turn.id)
        caller.thread.join(10)
        self.leave(caller.turn.client)
        assert [type(error) for error in caller.errors] == [LeaseLostError]

    # What always holds.

    def remember(self, client: Client, place: Place) -> None:
        before = client.place and client.place.lease.token
        token = place.lease.token
        if token != before:
            assert token is not None
            assert all(token > earlier for earlier in self.tokens)
            self.tokens.append(token)
        assert place.position == self.order.index(client.name)
        assert (token is not None) == (place.position == 0)
        client.place, client.end_s = place, self.clock.now_s + client.ttl_s

    def settle(self) -> None:
        """Wait until the line is as it should be, and who is first and waits in a thread runs."""
        soon(lambda: self.leases.occupation().waiting == max(0, len(self.order) - 1))
        first = self.callers.get(self.order[0]) if self.order else None
        if first is not None:
            assert first.inside.wait(10)

    @invariant()
    def the_first_in_the_line_has_the_board(self) -> None:
        self.settle()
        now = self.leases.occupation()
        assert (now.holder.lease.client if now.holder else None) == next(iter(self.order), None)
        assert now.running == bool(self.open)
        assert set(self.open) <= set(self.order[:1])

    @invariant()
    def jobs_never_overlap(self) -> None:
        still = [(start, next(self.events), name) for name, start in self.open.items()]
        spans = sorted(self.intervals + still)
        assert all(before[1] < after[0] for before, after in pairwise(spans))

    def teardown(self) -> None:
        """The agent stops: whoever waits is told, and what runs comes to its end."""
        busy = self.busy
        self.leases.close()
        for caller in self.callers.values():
            caller.go.set()
            caller.thread.join(10)
            expected = [] if caller.turn.client == busy else [StoppingError]
            assert [type(error) for error in caller.errors] == expected
        for client in self.clients.values():
            if client.job is not None:
                client.job.close()
