"""How networks are timed: threads, cores, clock, temperature, and the input."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import default_rng

from device_agent.measuring.rounds import Clock
from quant.errors import InputError
from quant.graph import Floats

CLOCKS: dict[str, tuple[str, Clock]] = {
    "cpu": ("thread_cpu", time.thread_time_ns),
    "wall": ("wall", time.perf_counter_ns),
}


@dataclass(frozen=True)
class Timing:
    """`threads` of ncnn; `cores` to stay on (a list, "big", "little", or None: any); `clock` "cpu",
    "wall" or "auto"; `cool_to_c` to wait for before each block; `seed` of input and order."""

    threads: int = 1
    cores: Sequence[int] | str | None = None
    clock: str = "auto"
    cool_to_c: float | None = None
    seed: int = 0

    def choose_clock(self) -> tuple[str, Clock]:
        """Name and function of the clock.

        CPU time of this thread where it does all the work, since other processes hardly shift it;
        wall time for several threads, whose work a thread's clock does not see. Raises InputError.
        """
        if self.clock == "cpu" and self.threads > 1:
            raise InputError("CPU time is that of one thread: use the wall clock for several")
        kind = "cpu" if self.threads == 1 else "wall"
        return CLOCKS[kind if self.clock == "auto" else self.clock]

    def image(self, shape: tuple[int, ...]) -> Floats:
        """The input that is timed: uniform in [-1, 1), float32 of `shape`."""
        return default_rng(self.seed).uniform(-1, 1, shape).astype(np.float32)
