"""Jobs without children, and what tests of leases and of repeated requests ask for over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from threading import Event, Thread
from typing import Any

from starlette.testclient import TestClient

from device_agent.processes.jobs import Jobs

NAMESPACE = "urn:haq:problem:"
LOGITS = {
    "shape": (1, 1, 1),
    "logits": "AAAAAA==",
    "checksums": ["0"],
    "seconds": 0.0,
    "ncnn_version": "1",
}


class QuickJobs(Jobs):
    """Jobs that take no child and no time; each waits for `go` and remembers its policies."""

    def __init__(self, folder: Path) -> None:
        super().__init__(30, 2**32, 2**20, folder)
        self.go = Event()
        self.go.set()
        self.ran: list[dict[str, int]] = []
        self.error: Exception | None = None

    def run(self, job: Mapping[str, Any]) -> dict[str, Any]:
        self.ran.append(job["arguments"]["policies"][0])
        assert self.go.wait(20)
        if self.error:
            raise self.error
        return {**LOGITS, "seconds": float(len(self.ran))}


def acquire(client: TestClient, name: str = "anna", ttl_s: float = 60) -> dict[str, Any]:
    answer = client.post("/v1/leases", json={"client": name, "ttl_s": ttl_s})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def under(lease: Mapping[str, Any]) -> dict[str, str]:
    return {"Haq-Lease": str(lease["token"])}


def assert_problem(answer: Any, status: int, kind: str) -> None:
    assert (answer.status_code, answer.json()["type"]) == (status, NAMESPACE + kind), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


class Posted(Thread):
    """A request in a thread of its own."""

    def __init__(self, client: TestClient, path: str, body: object, **headers: str) -> None:
        super().__init__(daemon=True)
        self.client, self.path, self.body, self.headers = client, path, body, headers
        self.answer: Any = None
        self.start()

    def run(self) -> None:
        self.answer = self.client.post(self.path, json=self.body, headers=self.headers)

    def result(self) -> Any:
        self.join(30)
        assert self.answer is not None
        return self.answer


def measurement(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"network": body["network"], "policies": body["policies"]}
