"""Numbers for Prometheus, in a registry of each application's own."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import Gauge, generate_latest

from api.jobs.job import State
from device_agent.web.requests import RequestMetrics

PREFIX = "haq_service"
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
STATES: tuple[State, ...] = ("queued", "running", "paused", "cancelled", "done", "failed")


class Metrics(RequestMetrics):
    """What `/metrics` shows."""

    def __init__(self) -> None:
        super().__init__(PREFIX, BUCKETS_S)
        registry = self.registry
        self._searches = Gauge(
            f"{PREFIX}_searches", "Searches by state", ("state",), registry=registry
        )
        self._followers = Gauge(f"{PREFIX}_streams", "Open event streams", registry=registry)

    def to_text(self, by_state: Mapping[str, int], followers: int) -> bytes:
        """All numbers in Prometheus' text format, with those that are looked up now."""
        for state in STATES:
            self._searches.labels(state).set(by_state.get(state, 0))
        self._followers.set(followers)
        return generate_latest(self.registry)
