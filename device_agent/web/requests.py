"""Numbers of requests for Prometheus, of any of our servers. Every label has few values."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})


class RequestMetrics:
    """Counts requests in a `registry`, which gets the numbers of the process as well."""

    def __init__(self, prefix: str, buckets_s: Sequence[float]) -> None:
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            f"{prefix}_requests",
            "Requests by route template, method and status; 499 is a client that left",
            ("route", "method", "status"),
            registry=registry,
        )
        self._request_seconds = Histogram(
            f"{prefix}_request_seconds",
            "Seconds from the head of a request to the end of its answer",
            ("route", "method"),
            buckets=buckets_s,
            registry=registry,
        )
        self._received = Counter(
            f"{prefix}_received_bytes", "Bytes of bodies received", registry=registry
        )

    def observe_request(
        self, route: str, method: str, status: int, seconds: float, received_bytes: int
    ) -> None:
        """Count a request that is over; `route` is a template, never a path."""
        method = method if method in METHODS else "other"
        self._requests.labels(route, method, str(status)).inc()
        self._request_seconds.labels(route, method).observe(seconds)
        self._received.inc(received_bytes)
