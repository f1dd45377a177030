"""A machine whose clock is bimodal, as shared machines' are: a second speed, half as fast."""

from collections.abc import Callable
from functools import partial

import numpy as np

from device_agent.measuring.rounds import Run


class Machine:
    """`flip` is the chance per run that the speed changes; `placement` the relative deviation that
    a network has for as long as it is loaded; `throttled` tells whether the board is slowed at a
    number of seconds, and with it what a network's cost is multiplied by."""

    def __init__(
        self,
        seed: int,
        flip: float = 0.05,
        placement: float = 0.0,
        throttled: Callable[[float], bool] = lambda _: False,
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.now_ns = 0
        self.slow = False
        self.flip, self.placement, self.throttled = flip, placement, throttled

    def clock(self) -> int:
        return self.now_ns

    def seconds(self) -> float:
        return self.now_ns / 1e9

    def network(self, cost_ms: float, throttled_ms: float | None = None) -> Run:
        """A loaded network; under throttling it takes `throttled_ms`."""
        place = float(np.exp(self.rng.normal(0, self.placement)))
        hot_ms = 3 * cost_ms if throttled_ms is None else throttled_ms
        return partial(self.run, cost_ms * place, hot_ms * place)

    def loader(self, cost_ms: float, throttled_ms: float | None = None) -> Callable[[], Run]:
        return partial(self.network, cost_ms, throttled_ms)

    def run(self, cost_ms: float, throttled_ms: float) -> None:
        if self.rng.random() < self.flip:
            self.slow = not self.slow
        jitter = float(np.exp(self.rng.normal(0, 0.03)))
        base_ms = throttled_ms if self.throttled(self.seconds()) else cost_ms
        self.now_ns += int(base_ms * 1e6 * (2 if self.slow else 1) * jitter)
