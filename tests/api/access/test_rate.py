from __future__ import annotations

import pytest

from api.access.rate import Rates
from tests.device_agent.fake_clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def rates(clock: FakeClock) -> Rates:
    return Rates(clock)


def test_a_minutes_requests_and_no_more(rates: Rates) -> None:
    assert [rates.wait_s("anna", 3) for _ in range(4)] == [0, 0, 0, 20]


def test_a_bucket_fills_up_steadily(rates: Rates, clock: FakeClock) -> None:
    for _ in range(6):
        rates.wait_s("anna", 6)
    clock.now_s += 9
    assert rates.wait_s("anna", 6) == pytest.approx(1)
    clock.now_s += 1
    assert rates.wait_s("anna", 6) == 0
    assert rates.wait_s("anna", 6) == pytest.approx(10)


def test_a_bucket_holds_one_minute(rates: Rates, clock: FakeClock) -> None:
    rates.wait_s("anna", 2)
    clock.now_s += 3600
    assert [rates.wait_s("anna", 2) > 0 for _ in range(3)] == [False, False, True]


def test_one_key_does_not_use_up_anothers(rates: Rates) -> None:
    assert rates.wait_s("anna", 1) == 0
    assert rates.wait_s("anna", 1) > 0
    assert rates.wait_s("ben", 1) == 0


def test_a_limit_that_was_lowered_counts_at_once(rates: Rates) -> None:
    rates.wait_s("anna", 100)
    assert [rates.wait_s("anna", 1) > 0 for _ in range(2)] == [False, True]
