import time

import numpy as np
import pytest

from device_agent.measuring.timing import Timing
from quant.errors import InputError


def test_one_thread_is_timed_by_its_cpu_time_and_several_by_the_wall() -> None:
    assert Timing(threads=1).choose_clock() == ("thread_cpu", time.thread_time_ns)
    assert Timing(threads=2).choose_clock() == ("wall", time.perf_counter_ns)
    assert Timing(threads=1, clock="wall").choose_clock() == ("wall", time.perf_counter_ns)


def test_cpu_time_of_several_threads_is_refused() -> None:
    with pytest.raises(InputError, match="use the wall clock"):
        Timing(threads=2, clock="cpu").choose_clock()


def test_the_input_is_that_of_the_seed() -> None:
    image = Timing(seed=3).image((2, 4, 4))
    expected = np.random.default_rng(3).uniform(-1, 1, (2, 4, 4)).astype(np.float32)
    np.testing.assert_array_equal(image, expected)
    assert image.dtype == np.float32
