from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from api.jobs import Job, Jobs
from api.jobs.job import Wanted
from api.service import Service
from api.settings import Settings
from api.workers.worker import CRASHES, Worker
from quant.errors import StorageError
from tests.api.runs import put_search
from tests.api.workers.children import CRASHING, ENDLESS, KILLED, Command, ending
from tests.device_agent.process_table import is_running, wait_for


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.workers.worker.POLL_S", 0.01)


@pytest.fixture
def jobs(service: Service) -> Jobs:
    return service.jobs


@pytest.fixture
def worker(jobs: Jobs, settings: Settings) -> Worker:
    return Worker(jobs, settings, threading.Event())


@pytest.fixture
def job(service: Service, worker: Worker) -> Job:
    put_search(service)
    return claimed(service.jobs)


def claimed(jobs: Jobs, lease_s: float = 60) -> Job:
    found = jobs.claim("worker", lease_s)
    assert found is not None
    return found


def take(monkeypatch: pytest.MonkeyPatch, command: Command) -> None:
    monkeypatch.setattr("api.workers.process.CHILD", command)


@contextmanager
def at_work(worker: Worker, job: Job, jobs: Jobs) -> Iterator[int]:
    """The process id of the child of a worker, which has left the search by the end."""
    with ThreadPoolExecutor(1) as pool:
        working: Future[Any] = pool.submit(worker.carry_out, job)
        try:
            wait_for(lambda: jobs.get(job.id).progress or working.done())
            yield int(jobs.get(job.id).progress["note"])
        except BaseException:
            worker._stop.set()
            raise
        working.result(20)


@pytest.mark.parametrize(
    ("command", "state", "error"),
    [
        (ending("done"), "done", None),
        (ending("failed", "no such layer"), "failed", "no such layer"),
    ],
)
def test_a_search_comes_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
    worker: Worker,
    jobs: Jobs,
    job: Job,
    command: Command,
    state: str,
    error: str | None,
) -> None:
    take(monkeypatch, command)
    worker.carry_out(job)
    found = jobs.get(job.id)
    assert (found.state, found.error, found.owner) == (state, error, None)


@pytest.mark.parametrize(
    ("command", "note"),
    [
        (ending("again", "the board is lost"), "its process ended: the board is lost"),
        (CRASHING, "its process ended with 3"),
        (KILLED, "its process ended with -9"),
    ],
)
def test_a_search_that_is_not_to_blame_waits_again(
    monkeypatch: pytest.MonkeyPatch,
    worker: Worker,
    jobs: Jobs,
    job: Job,
    command: Command,
    note: str,
) -> None:
    take(monkeypatch, command)
    worker.carry_out(job)
    found = jobs.get(job.id)
    assert (found.state, found.history[-1]["note"]) == ("queued", note)


def test_a_search_whose_process_ends_every_time_has_failed(
    monkeypatch: pytest.MonkeyPatch, worker: Worker, jobs: Jobs, job: Job
) -> None:
    take(monkeypatch, KILLED)
    worker.carry_out(job)
    for _ in range(CRASHES):
        assert jobs.get(job.id).state == "queued"
        worker.carry_out(claimed(jobs))
    found = jobs.get(job.id)
    assert (found.state, found.error) == ("failed", "its process ended with -9")


def test_a_process_that_cannot_be_started_is_one_that_ended(
    monkeypatch: pytest.MonkeyPatch, worker: Worker, jobs: Jobs, job: Job, settings: Settings
) -> None:
    take(monkeypatch, ("/nowhere/python",))
    worker.carry_out(job)
    assert jobs.get(job.id).state == "queued"
    logs = settings.data_dir / "logs"
    for file in logs.iterdir():
        file.unlink()
    logs.rmdir()
    logs.write_text("in the way")
    worker.carry_out(claimed(jobs))
    assert jobs.get(job.id).state == "queued"


@pytest.mark.parametrize(("wanted", "state"), [("pause", "paused"), ("cancel", "cancelled")])
def test_what_is_wanted_of_it_is_done(
    monkeypatch: pytest.MonkeyPatch,
    worker: Worker,
    jobs: Jobs,
    job: Job,
    wanted: Wanted,
    state: str,
) -> None:
    take(monkeypatch, ENDLESS)
    with at_work(worker, job, jobs) as pid:
        assert is_running(pid)
        jobs.ask_to(job.id, wanted)
    assert jobs.get(job.id).state == state
    assert not is_running(pid)


def test_a_worker_that_is_stopped_puts_its_search_back(
    monkeypatch: pytest.MonkeyPatch, worker: Worker, jobs: Jobs, job: Job
) -> None:
    take(monkeypatch, ENDLESS)
    with at_work(worker, job, jobs) as pid:
        worker._stop.set()
    found = jobs.get(job.id)
    assert (found.state, found.history[-1]["note"]) == ("queued", "")
    assert not is_running(pid)


def test_ctrl_c_which_ends_both_is_nothing_against_the_search(
    monkeypatch: pytest.MonkeyPatch, worker: Worker, jobs: Jobs, job: Job
) -> None:
    take(monkeypatch, KILLED)
    worker._stop.set()
    for _ in range(CRASHES + 1):
        worker.carry_out(job)
        assert jobs.get(job.id).history[-1] == {**jobs.get(job.id).history[-1], "note": ""}
        job = claimed(jobs)


def test_a_worker_that_lost_its_search_ends_the_process_and_says_no_more(
    monkeypatch: pytest.MonkeyPatch, worker: Worker, jobs: Jobs, job: Job, service: Service
) -> None:
    take(monkeypatch, ENDLESS)
    later = Jobs(service.database, lambda: time.time() + 1000)
    with at_work(worker, job, jobs) as pid:
        taken = later.claim("other", 5000)
    found = jobs.get(job.id)
    assert taken is not None
    assert (found.state, found.owner, found.token) == ("running", "other", taken.token)
    assert not is_running(pid)


def test_an_end_that_comes_too_late_is_not_noted(
    monkeypatch: pytest.MonkeyPatch, worker: Worker, jobs: Jobs, job: Job, service: Service
) -> None:
    take(monkeypatch, ending("done"))
    Jobs(service.database, lambda: time.time() + 1000).claim("other", 5000)
    worker.carry_out(job)
    assert (jobs.get(job.id).state, jobs.get(job.id).owner) == ("running", "other")


def test_a_store_that_fails_for_a_while_costs_nothing(
    monkeypatch: pytest.MonkeyPatch, worker: Worker, jobs: Jobs, job: Job, service: Service
) -> None:
    """Neither while the search runs, nor when its end is to be noted."""
    take(monkeypatch, ending("done"))
    change, failures = service.database.change, [StorageError("no room")] * 5

    def fail_first(statement: Any) -> Any:
        if failures:
            raise failures.pop()
        return change(statement)

    monkeypatch.setattr(service.database, "change", fail_first)
    worker.carry_out(job)
    assert jobs.get(job.id).state == "done"


def test_searches_are_taken_one_after_the_other_until_it_is_stopped(
    monkeypatch: pytest.MonkeyPatch, worker: Worker, jobs: Jobs, service: Service
) -> None:
    take(monkeypatch, ending("done"))
    ids = [put_search(service).id for _ in range(3)]
    thread = threading.Thread(target=worker.run)
    thread.start()
    wait_for(lambda: jobs.by_state() == {"done": 3})
    worker._stop.set()
    thread.join(10)
    assert not thread.is_alive()
    ends = {job_id: jobs.get(job_id).finished_at or 0.0 for job_id in ids}
    assert sorted(ids, key=ends.__getitem__) == ids


def test_the_lease_outlasts_the_wait_of_a_search_that_ended(
    monkeypatch: pytest.MonkeyPatch,
    jobs: Jobs,
    settings: Settings,
    service: Service,
    tmp_path: Path,
) -> None:
    """Else another worker would take it, and nobody would ever count how often it has ended."""
    monkeypatch.setattr("api.workers.worker.POLL_S", 1.0)
    take(monkeypatch, KILLED)
    worker = Worker(jobs, settings.model_copy(update={"lease_s": 0.5}), threading.Event())
    put_search(service)
    worker.carry_out(claimed(jobs, 0.5))
    assert jobs.page()[0].history[-1]["note"] == "its process ended with -9"
