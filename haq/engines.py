"""Logits of many images, computed by ncnn on all cores."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from haq.data import normalise
from quant.graph import Floats
from quant.pool import available_cores


class Runs(Protocol):
    """A loaded network."""

    def run(self, image: Floats) -> Floats:
        """Logits (classes,) of a normalised image (C, H, W)."""


def run_engines(load: Callable[[], Runs], pixels: NDArray[np.uint8]) -> Floats:
    """Logits (N, classes) of uint8 images (N, C, H, W).

    Each core that this process may use has a network of its own, and takes the next image as soon
    as it is free. Images are normalised one by one, since in float32 they are four times as large.
    """
    workers = min(available_cores(), len(pixels))
    idle: SimpleQueue[Runs] = SimpleQueue()

    def run(image: NDArray[np.uint8]) -> Floats:
        engine = idle.get()
        try:
            return engine.run(normalise(image))
        finally:
            idle.put(engine)

    with ThreadPoolExecutor(workers) as pool:
        for engine in pool.map(lambda _: load(), range(workers)):
            idle.put(engine)
        return np.stack(list(pool.map(run, pixels)))
