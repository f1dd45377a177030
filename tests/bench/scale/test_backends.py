from __future__ import annotations

from bench.scale.backends import Idle, time_trips, timed
from haq.parallel import LocalWorkers
from tests.haq.search.doubles import tied


def test_a_task_that_does_nothing_takes_some_time() -> None:
    assert 0 < time_trips(LocalWorkers, tied(8)) < 0.1
    assert Idle().float_logits.shape[1] == 10


def test_times_are_ordered() -> None:
    found = timed(lambda: sum(range(1000)))
    assert 0 < found["least"] <= found["median"] <= found["most"]
