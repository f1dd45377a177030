"""A machine whose clock is bimodal, as shared machines' are: a second speed, half as fast."""

from functools import partial

import numpy as np

from device_agent.rounds import Run


class Machine:
    def __init__(self, seed: int, flip: float = 0.05) -> None:
        self.rng = np.random.default_rng(seed)
        self.now_ns = 0
        self.slow = False
        self.flip = flip

    def clock(self) -> int:
        return self.now_ns

    def seconds(self) -> float:
        return self.now_ns / 1e9

    def network(self, cost_ms: float) -> Run:
        return partial(self.run, cost_ms)

    def run(self, cost_ms: float) -> None:
        if self.rng.random() < self.flip:
            self.slow = not self.slow
        jitter = float(np.exp(self.rng.normal(0, 0.03)))
        self.now_ns += int(cost_ms * 1e6 * (2 if self.slow else 1) * jitter)
