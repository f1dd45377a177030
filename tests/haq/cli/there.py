"""A worker of the service in this process, on a board without a machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from api.jobs import Job
from api.service import Service
from api.workers.errand import asked_from
from haq.report.page import write_report
from haq.search.asked import make_request
from haq.search.run import run_search
from haq.store import RunFolder
from quant.errors import HaqError
from tests.haq.simulated_board import SimulatedBoard


@contextmanager
def working(service: Service, failing: str | None = None) -> Iterator[None]:
    """Searches are carried out for the time of the block, those with such a budget fail."""
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(service, stop, failing))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def work(service: Service, stop: threading.Event, failing: str | None) -> None:
    while not stop.wait(0.02):
        job = service.jobs.claim("worker", 600)
        if job is None:
            continue
        if failing is not None and any(failing in one for one in job.spec["spec"]["budgets"]):
            service.jobs.end(job, "it was made to")
        else:
            carry_out(service, job)


def carry_out(service: Service, job: Job) -> None:
    request = make_request(asked_from(job.spec["asked"]))
    folder = RunFolder(service.settings.runs_dir / job.id, request.model, job.id)
    url, beats = service.settings.store_url, Beats(service, job)
    try:
        run_search(request, folder, SimulatedBoard(), beats, store_url=url)
        write_report(folder.path)
    except HaqError as error:
        service.jobs.end(job, str(error))
    else:
        service.jobs.end(job, None)


class Beats:
    """Progress that is told to the service."""

    def __init__(self, service: Service, job: Job) -> None:
        self._service, self._job = service, job
        self._now: dict[str, Any] = {}

    def start(self, title: str, total: int) -> None:
        self._tell({"stage": title, "done": 0, "total": total, "note": ""})

    def advance(self, note: str = "") -> None:
        self._tell({**self._now, "done": self._now["done"] + 1, "note": note})

    def note(self, text: str) -> None:
        self._tell({**self._now, "note": text})

    def _tell(self, now: dict[str, Any]) -> None:
        self._now = now
        self._service.jobs.beat(self._job, now, 600)
