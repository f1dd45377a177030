"""Numbers for Prometheus, in a registry of each application's own. Every label has few values."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram, generate_latest

from device_agent.processes.jobs import JobTimeoutError, StoppingError
from device_agent.web.requests import RequestMetrics
from quant.errors import InputError

REQUEST_BUCKETS_S = (0.005, 0.02, 0.1, 0.5, 2.5, 10, 60, 300, 1800)
JOB_BUCKETS_S = (0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900)
PREFIX = "haq_agent"


OUTCOMES: tuple[tuple[type[Exception], str], ...] = (
    (InputError, "refused"),
    (JobTimeoutError, "late"),
    (StoppingError, "stopped"),
)


class Metrics(RequestMetrics):
    """What `/metrics` shows."""

    def __init__(self) -> None:
        super().__init__(PREFIX, REQUEST_BUCKETS_S)
        registry = self.registry
        self._uploads = Counter(f"{PREFIX}_uploads", "Files received and kept", registry=registry)
        self._jobs = Counter(
            f"{PREFIX}_jobs", "Jobs by task and outcome", ("task", "outcome"), registry=registry
        )
        self._job_seconds = Histogram(
            f"{PREFIX}_job_seconds",
            "Seconds of a job, waiting not counted",
            ("task",),
            buckets=JOB_BUCKETS_S,
            registry=registry,
        )
        self._running = Gauge(f"{PREFIX}_running_jobs", "Jobs that run", registry=registry)
        self._waiting = Gauge(
            f"{PREFIX}_waiting_clients", "Clients in the queue for the board", registry=registry
        )
        self._noise = Gauge(
            f"{PREFIX}_ratio_noise",
            "Largest split-half difference of a ratio in the last measurement, share of the ratio",
            registry=registry,
        )

    def observe_upload(self) -> None:
        """Count a file that was kept."""
        self._uploads.inc()

    @contextmanager
    def timed_job(self, task: str) -> Iterator[None]:
        """Time a job, the block, and count it by how it ends."""
        start, outcome = time.monotonic(), "done"
        try:
            yield
        except Exception as error:
            outcome = outcome_of(error)
            raise
        finally:
            self.observe_job(task, outcome, time.monotonic() - start)

    def observe_job(self, task: str, outcome: str, seconds: float) -> None:
        """Count a job that is over; both names are from a short list."""
        self._jobs.labels(task, outcome).inc()
        self._job_seconds.labels(task).observe(seconds)

    def observe_noise(self, noise: float) -> None:
        """Remember how noisy the last measurement was."""
        self._noise.set(noise)

    def observe_queue(self, running: int, waiting: int) -> None:
        """Remember how the queue for the board looks."""
        self._running.set(running)
        self._waiting.set(waiting)

    def to_text(self) -> bytes:
        """All numbers in Prometheus' text format."""
        return generate_latest(self.registry)


def outcome_of(error: Exception) -> str:
    """How a job ended that raised an error."""
    return next((name for kind, name in OUTCOMES if isinstance(error, kind)), "failed")
