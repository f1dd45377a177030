from __future__ import annotations

from itertools import count

import pytest

from device_agent.turns.line import LeaseLostError, Line, QueueFullError
from tests.device_agent.fake_clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def line(clock: FakeClock) -> Line:
    return Line(count(1).__next__, 2, clock)


def test_the_first_holds_and_the_next_follows_when_it_leaves(line: Line) -> None:
    first, second = line.join("a", "anna", 10), line.join("b", "ben", 10)
    assert (first.position, first.lease.token) == (0, 1)
    assert (second.position, second.lease.token) == (1, None)
    line.leave("a")
    after = line.renew("b")
    assert (after.position, after.lease.token) == (0, 2)


def test_whoever_sends_no_heartbeat_falls_out_held_or_waiting(line: Line, clock: FakeClock) -> None:
    for name in ("a", "b", "c"):
        line.join(name, name, 10)
    clock.now_s = 9
    line.renew("c")
    clock.now_s = 10
    holder = line.holder()
    assert holder is not None
    assert (holder.lease.id, line.waiting) == ("c", 0)
    for name in ("a", "b"):
        with pytest.raises(LeaseLostError):
            line.renew(name)


def test_a_place_in_the_line_does_not_outlive_its_time_by_coming_first(
    line: Line, clock: FakeClock
) -> None:
    line.join("a", "anna", 10)
    line.join("b", "ben", 15)
    clock.now_s = 14
    holder = line.holder()
    assert holder is not None
    assert (holder.lease.token, holder.expires_in_s) == (2, 1)
    clock.now_s = 15
    assert line.holder() is None


def test_a_running_job_keeps_its_lease_and_the_time_starts_anew_after_it(
    line: Line, clock: FakeClock
) -> None:
    line.join("a", "anna", 10)
    line.join("b", "ben", 1000)
    assert line.try_start("a")
    clock.now_s = 500
    holder = line.holder()
    assert holder is not None
    assert (holder.lease.id, holder.expires_in_s) == ("a", 10)
    assert line.try_start("b") is None
    line.finish()
    clock.now_s = 509
    assert line.try_start("b") is None
    clock.now_s = 510
    assert line.try_start("b")


def test_a_lease_released_under_its_job_holds_to_the_end_of_it(line: Line) -> None:
    token = line.join("a", "anna", 10).lease.token
    line.join("b", "ben", 10)
    assert token and line.try_start("a")
    line.leave("a")
    assert line.try_start("b") is None
    with pytest.raises(LeaseLostError):
        line.renew("a")
    with pytest.raises(LeaseLostError):
        line.holder_with(token)
    line.finish()
    assert line.try_start("b")


def test_a_full_line_takes_nobody_but_who_waits_stays(line: Line) -> None:
    for name in ("a", "b", "c"):
        line.join(name, name, 10)
    with pytest.raises(QueueFullError, match="2 clients wait"):
        line.join("d", "d", 10)
    line.leave("b")
    assert line.join("d", "d", 10).position == 2


@pytest.mark.parametrize("token", [1, 2, 4])
def test_only_the_holders_token_opens_the_board(line: Line, token: int) -> None:
    for name in ("a", "b", "c"):
        line.join(name, name, 10)
        line.leave(name) if name != "c" else None
    assert line.holder_with(3).id == "c"
    with pytest.raises(LeaseLostError, match=f"token {token} "):
        line.holder_with(token)


def test_a_token_that_cannot_be_kept_is_not_given(clock: FakeClock) -> None:
    """The disk is full: nobody holds, and the next look tries again."""
    free_bytes = 0

    def next_token() -> int:
        if not free_bytes:
            raise OSError("no space")
        return 7

    line = Line(next_token, 2, clock)
    for attempt in (lambda: line.join("a", "anna", 10), line.holder):
        with pytest.raises(OSError, match="no space"):
            attempt()
    free_bytes = 1
    assert line.renew("a").lease.token == 7


def test_the_next_expiry_is_that_of_the_first_to_fall_out(line: Line, clock: FakeClock) -> None:
    assert line.next_expiry_s() is None
    line.join("a", "anna", 5)
    line.join("b", "ben", 8)
    clock.now_s = 1
    assert line.next_expiry_s() == 4
    line.try_start("a")
    assert line.next_expiry_s() == 7
    line.discard("b")
    assert line.next_expiry_s() is None
