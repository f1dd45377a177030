"""Another process that loads the machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import Popen

# Arithmetic on arrays larger than the caches, in bursts with pauses: it takes processor, caches and
# memory from whoever runs beside it, at irregular times.
BUSY = """
import numpy as np, time
rng = np.random.default_rng(0)
data = rng.random(4_000_000)
while True:
    end = time.monotonic() + rng.exponential(0.5)
    while time.monotonic() < end:
        np.sqrt(data, out=data)
    time.sleep(rng.exponential(0.1))
"""


@contextmanager
def loaded_machine(processes: int = 1) -> Iterator[None]:
    """Keep the machine busy for as long as the context lasts."""
    running = [Popen([sys.executable, "-c", BUSY]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()
