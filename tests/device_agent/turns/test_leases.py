from __future__ import annotations

from itertools import count
from threading import Thread

import pytest
from hypothesis import settings

from device_agent.processes.jobs import StoppingError
from device_agent.turns.leases import Leases, Turn
from device_agent.turns.line import LeaseLostError
from tests.device_agent.exclusive_board import ExclusiveBoard

TestExclusiveBoard = ExclusiveBoard.TestCase
TestExclusiveBoard.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@pytest.fixture
def leases() -> Leases:
    return Leases(count(1).__next__, 4)


def held(leases: Leases, ttl_s: float = 60) -> tuple[str, int]:
    lease = leases.acquire("anna", ttl_s).lease
    assert lease.token is not None
    return lease.id, lease.token


def in_thread(leases: Leases, turn: Turn) -> tuple[Thread, list[object]]:
    """A job in a thread; the list gets its token, or the error that kept it from running."""
    outcome: list[object] = []

    def run() -> None:
        try:
            with leases.use(turn) as lease:
                outcome.append(lease.token)
        except Exception as error:
            outcome.append(type(error))

    thread = Thread(target=run, daemon=True)
    thread.start()
    return thread, outcome


def test_a_second_job_of_the_holder_waits_for_the_first(leases: Leases) -> None:
    _, token = held(leases)
    with leases.use(Turn("anna", token)):
        thread, outcome = in_thread(leases, Turn("anna", token))
        thread.join(0.1)
        assert outcome == []
    thread.join(10)
    assert outcome == [token]


def test_a_job_whose_lease_went_while_it_waited_does_not_start(leases: Leases) -> None:
    identity, token = held(leases)
    with leases.use(Turn("anna", token)):
        thread, outcome = in_thread(leases, Turn("anna", token))
        thread.join(0.1)
        leases.release(identity)
        thread.join(10)
        assert outcome == [LeaseLostError]
    assert leases.occupation().holder is None


def test_a_request_goes_on_when_a_silent_holder_expires(leases: Leases) -> None:
    _, token = held(leases, ttl_s=0.2)
    thread, outcome = in_thread(leases, Turn("ben"))
    thread.join(10)
    assert outcome == [token + 1]


def test_a_job_that_fails_gives_the_board_back(leases: Leases) -> None:
    with pytest.raises(ZeroDivisionError), leases.use(Turn("anna")):
        raise ZeroDivisionError
    with leases.use(Turn("ben")):
        assert leases.occupation().running


def test_a_request_that_gets_no_token_leaves_the_line(leases: Leases) -> None:
    def fail() -> int:
        raise OSError("no space")

    broken = Leases(fail, 4)
    with pytest.raises(OSError, match="no space"), broken.use(Turn("anna")):
        pass
    assert broken.occupation().holder is None


def test_the_log_tells_when_each_job_ran(leases: Leases, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "device_agent")
    for name in ("anna", "ben"):
        with leases.use(Turn(name)):
            pass
    told = [(record.msg["event"], record.msg["token"]) for record in caplog.records]  # type: ignore[index]
    assert told == [("job started", 1), ("job ended", 1), ("job started", 2), ("job ended", 2)]


def test_nothing_begins_once_it_is_closed(leases: Leases) -> None:
    identity, token = held(leases)
    leases.close()
    for attempt in (
        lambda: leases.acquire("ben", 10),
        lambda: leases.renew(identity),
        lambda: leases.require(Turn("anna", token)),
        lambda: leases.use(Turn("anna", token)).__enter__(),
        lambda: leases.use(Turn("ben")).__enter__(),
    ):
        with pytest.raises(StoppingError):
            attempt()
    assert not leases.occupation().running
