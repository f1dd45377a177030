"""Waiting until the board is cool enough to be compared with itself."""

from __future__ import annotations

import time
from collections.abc import Callable

from device_agent.measuring.conditions import hottest

LONGEST_WAIT_S = 300.0
"""All waits of a measurement together: a board in the sun must answer, too."""
POLL_S = 0.5


class Cooling:
    """Waits for a temperature, not for a time; without a limit or a sensor there is no wait."""

    def __init__(
        self,
        limit_c: float | None,
        temperature_c: Callable[[], float | None] = hottest,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._limit_c, self._temperature_c, self._sleep = limit_c, temperature_c, sleep
        self._left_s = LONGEST_WAIT_S

    def wait(self) -> None:
        """Return when the hottest sensor is no warmer than the limit, or the patience is over."""
        while self._is_hot() and self._left_s > 0:
            self._sleep(POLL_S)
            self._left_s -= POLL_S

    def _is_hot(self) -> bool:
        temperature = self._temperature_c() if self._limit_c is not None else None
        return temperature is not None and self._limit_c is not None and temperature > self._limit_c
