from __future__ import annotations

import os
import threading

import numpy as np
import pytest

from haq.data import normalise
from haq.engines import run_engines
from quant.errors import FormatError
from quant.graph import Floats
from tests.haq.subjects import cropped

CORES = len(os.sched_getaffinity(0))


class Echo:
    """Gives the first pixels back; notes whether two threads ever run it at once."""

    def __init__(self) -> None:
        self.lock, self.images = threading.Lock(), 0

    def run(self, image: Floats) -> Floats:
        assert self.lock.acquire(blocking=False)
        self.images += 1
        first = image.reshape(-1)[:3].copy()
        self.lock.release()
        return first


@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_logits_keep_the_order_and_each_core_has_its_network(count: int) -> None:
    made: list[Echo] = []

    def load() -> Echo:
        made.append(Echo())
        return made[-1]

    pixels = cropped("test", count).pixels
    found = run_engines(load, pixels)
    np.testing.assert_array_equal(found, normalise(pixels).reshape(count, -1)[:, :3])
    assert len(made) == min(CORES, count)
    assert sum(echo.images for echo in made) == count


def test_an_engine_that_fails_is_an_error() -> None:
    class Broken:
        def run(self, image: Floats) -> Floats:
            raise FormatError("ncnn failed")

    with pytest.raises(FormatError, match="ncnn failed"):
        run_engines(Broken, cropped("test", 5).pixels)
