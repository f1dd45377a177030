"""Numbers for Prometheus, in a registry of each application's own."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from api.jobs.job import State

PREFIX = "haq_service"
METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "OPTIONS"})
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
STATES: tuple[State, ...] = ("queued", "running", "paused", "cancelled", "done", "failed")


class Metrics:
    """What `/metrics` shows."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            f"{PREFIX}_requests",
            "Requests by route template, method and status; 499 is a client that left",
            ("route", "method", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            f"{PREFIX}_request_seconds",
            "Seconds from the head of a request to the end of its answer; streams are long",
            ("route", "method"),
            buckets=BUCKETS_S,
            registry=registry,
        )
        self._received = Counter(
            f"{PREFIX}_received_bytes", "Bytes of bodies received", registry=registry
        )
        self._searches = Gauge(
            f"{PREFIX}_searches", "Searches by state", ("state",), registry=registry
        )
        self._followers = Gauge(f"{PREFIX}_streams", "Open event streams", registry=registry)

    def observe_request(
        self, route: str, method: str, status: int, seconds: float, received_bytes: int
    ) -> None:
        """Count a request that is over; `route` is a template, never a path."""
        method = method if method in METHODS else "other"
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route, method).observe(seconds)
        self._received.inc(received_bytes)

    def to_text(self, by_state: Mapping[str, int], followers: int) -> bytes:
        """All numbers in Prometheus' text format, with those that are looked up now."""
        for state in STATES:
            self._searches.labels(state).set(by_state.get(state, 0))
        self._followers.set(followers)
        return generate_latest(self._registry)
