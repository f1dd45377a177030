from collections.abc import Iterator

from device_agent.measuring.cooling import LONGEST_WAIT_S, POLL_S, Cooling


def test_waits_for_the_temperature() -> None:
    readings: Iterator[float] = iter([70.0, 65.0, 61.0, 60.0])
    slept: list[float] = []
    Cooling(60.0, lambda: next(readings), slept.append).wait()
    assert slept == [POLL_S] * 3


def test_no_limit_or_no_sensor_is_no_wait() -> None:
    slept: list[float] = []
    Cooling(None, lambda: 99.0, slept.append).wait()
    Cooling(20.0, lambda: None, slept.append).wait()
    assert slept == []


def test_patience_is_for_all_waits_together() -> None:
    slept: list[float] = []
    cooling = Cooling(20.0, lambda: 99.0, slept.append)
    cooling.wait()
    assert sum(slept) == LONGEST_WAIT_S
    cooling.wait()
    assert sum(slept) == LONGEST_WAIT_S
