"""The end of the agent: jobs are stopped at once, requests soon after."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from device_agent.web.logs import log

SIGNALS = (signal.SIGTERM, signal.SIGINT)
GRACE_S = 3.0
"""Time for requests to come to their end, before they are cut off."""


class Stop:
    """Turns a signal into the end of all jobs, then of all requests.

    A server waits for requests before it tells the application to end; without this it would wait
    for a measurement. Every method belongs to the event loop.
    """

    def __init__(self, close_jobs: Callable[[], None], grace_s: float = GRACE_S) -> None:
        self.is_requested = False
        self._close_jobs = close_jobs
        self._grace_s = grace_s
        self._requests: set[asyncio.Task[object]] = set()

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Begin at the first signal, which the server's own handler gets too.

        Only the main thread may handle signals; elsewhere, in tests, the block runs without them.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        before = {number: signal.getsignal(number) for number in SIGNALS}

        def handle(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self.begin)
            handler = before[signal.Signals(number)]
            if callable(handler):
                handler(number, frame)

        for number in SIGNALS:
            signal.signal(number, handle)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def begin(self) -> None:
        """Close the jobs, beside the event loop; cut requests off when their time is over."""
        if self.is_requested:
            return
        self.is_requested = True
        log.info("stopping")
        loop = asyncio.get_running_loop()
        loop.run_in_executor(None, self._close_jobs)
        loop.call_later(self._grace_s, self._cut_off)

    @contextmanager
    def cutting_off(self) -> Iterator[None]:
        """A request that the end of the agent may cancel."""
        task = asyncio.current_task()
        assert task is not None
        self._requests.add(task)
        try:
            yield
        finally:
            self._requests.discard(task)

    def _cut_off(self) -> None:
        for task in self._requests:
            task.cancel()
