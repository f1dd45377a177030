"""How many requests a key may make: a bucket that fills up again steadily."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Bucket:
    """What is left of a minute's requests, as of a time in seconds."""

    left: float
    at: float


class Rates:
    """A bucket for each name; safe for threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}
        self._lock = threading.Lock()

    def wait_s(self, name: str, per_minute: int) -> float:
        """Take one request out of a bucket: 0, or the seconds until there is one again."""
        with self._lock:
            now = self._clock()
            bucket = self._buckets.setdefault(name, Bucket(per_minute, now))
            filled = bucket.left + (now - bucket.at) * per_minute / 60
            bucket.left, bucket.at = min(filled, float(per_minute)), now
            if bucket.left < 1:
                return (1 - bucket.left) * 60 / per_minute
            bucket.left -= 1
            return 0.0
