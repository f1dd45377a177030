from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from api.errors import ConflictError, UnknownError
from api.jobs import Job, Jobs
from api.jobs.job import Wanted
from api.jobs.jobs import LeaseLostError
from haq.store.database import Database
from tests.api.databases import database_at
from tests.device_agent.fake_clock import FakeClock

LEASE_S = 10.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    with database_at(store_url) as found:
        yield found


@pytest.fixture
def jobs(database: Database, clock: FakeClock) -> Jobs:
    return Jobs(database, clock)


def add(jobs: Jobs, clock: FakeClock, count: int = 1) -> list[Job]:
    """New searches, a second after each other."""
    found = []
    for number in range(count):
        clock.now_s += 1
        found.append(jobs.add({"number": number}, "anna"))
    return found


def claimed(jobs: Jobs, owner: str = "worker") -> Job:
    job = jobs.claim(owner, LEASE_S)
    assert job is not None
    return job


def test_an_added_search_waits(jobs: Jobs, clock: FakeClock) -> None:
    (job,) = add(jobs, clock)
    assert jobs.get(job.id) == job
    assert (job.state, job.spec, job.created_by, job.created_at) == (
        "queued", {"number": 0}, "anna", 1.0
    )  # fmt: skip
    assert [event["state"] for event in job.history] == ["queued"]


def test_a_search_of_the_same_id_is_added_once(jobs: Jobs) -> None:
    first = jobs.add({"a": 1}, "anna", "1" * 32)
    taken = claimed(jobs)
    second = jobs.add({"b": 2}, "ben", "1" * 32)
    assert (second.spec, second.created_by, second.state) == (first.spec, "anna", "running")
    assert second.token == taken.token
    assert len(jobs.page()) == 1


def test_an_unknown_search(jobs: Jobs) -> None:
    with pytest.raises(UnknownError):
        jobs.get("1" * 32)
    with pytest.raises(UnknownError):
        jobs.ask_to("1" * 32, "pause")


def test_who_waited_longest_comes_first(jobs: Jobs, clock: FakeClock) -> None:
    added = [job.id for job in add(jobs, clock, 3)]
    assert [claimed(jobs).id for _ in added] == added
    assert jobs.claim("worker", LEASE_S) is None


def test_a_search_that_was_paused_keeps_its_place(jobs: Jobs, clock: FakeClock) -> None:
    first, _ = add(jobs, clock, 2)
    jobs.ask_to(first.id, "pause")
    jobs.ask_to(first.id, "run")
    assert claimed(jobs).id == first.id


def test_no_search_is_claimed_twice(store_url: str, jobs: Jobs, clock: FakeClock) -> None:
    wanted = {job.id for job in add(jobs, clock, 24)}
    start = threading.Barrier(4)

    def claim_all(owner: str) -> list[str]:
        with database_at(store_url) as database:
            mine, found = Jobs(database, clock), []
            start.wait()
            while job := mine.claim(owner, LEASE_S):
                found.append(job.id)
            return found

    with ThreadPoolExecutor(4) as pool:
        claims = [job_id for found in pool.map(claim_all, "abcd") for job_id in found]
    assert len(claims) == len(wanted)
    assert set(claims) == wanted


def test_a_lease_that_is_kept_is_nobody_elses(jobs: Jobs, clock: FakeClock) -> None:
    add(jobs, clock)
    job = claimed(jobs)
    for done in range(5):
        clock.now_s += LEASE_S - 1
        assert jobs.beat(job, {"stage": "search", "done": done}, LEASE_S) == "run"
        assert jobs.claim("other", LEASE_S) is None
    assert jobs.get(job.id).progress == {"stage": "search", "done": 4}


def test_a_beat_is_no_new_version(jobs: Jobs, clock: FakeClock) -> None:
    add(jobs, clock)
    job = claimed(jobs)
    jobs.beat(job, {"done": 1}, LEASE_S)
    assert jobs.get(job.id).version == job.version
    asked = jobs.ask_to(job.id, "pause")
    found = jobs.get(asked.id)
    assert (found.version, found.progress, found.lease_until) == (
        job.version + 1, {"done": 1}, clock.now_s + LEASE_S
    )  # fmt: skip


def test_a_silent_worker_loses_its_search_and_is_refused(jobs: Jobs, clock: FakeClock) -> None:
    add(jobs, clock)
    old = claimed(jobs, "old")
    clock.now_s += LEASE_S + 1
    new = claimed(jobs, "new")
    assert (new.id, new.token) == (old.id, old.token + 1)
    before = jobs.get(new.id)
    for late in (
        lambda: jobs.beat(old, {"done": 9}, LEASE_S),
        lambda: jobs.stop(old),
        lambda: jobs.end(old, None),
        lambda: jobs.end(old, "failed"),
    ):
        with pytest.raises(LeaseLostError):
            late()
    assert jobs.get(new.id) == before
    assert jobs.beat(new, {}, LEASE_S) == "run"
    assert jobs.end(new, None).state == "done"


@pytest.mark.parametrize("wanted", ["pause", "cancel"])
def test_a_worker_hears_what_is_wanted(jobs: Jobs, clock: FakeClock, wanted: Wanted) -> None:
    add(jobs, clock)
    job = claimed(jobs)
    assert jobs.ask_to(job.id, wanted).state == "running"
    assert jobs.beat(job, {}, LEASE_S) == wanted
    stopped = jobs.stop(job)
    assert stopped.state == {"pause": "paused", "cancel": "cancelled"}[wanted]
    with pytest.raises(LeaseLostError):
        jobs.beat(job, {}, LEASE_S)
    assert jobs.claim("other", LEASE_S) is None


@pytest.mark.parametrize(("wanted", "state"), [("pause", "paused"), ("cancel", "cancelled")])
def test_a_waiting_search_is_never_begun_then(
    jobs: Jobs, clock: FakeClock, wanted: Wanted, state: str
) -> None:
    (job,) = add(jobs, clock)
    assert jobs.ask_to(job.id, wanted).state == state
    assert jobs.claim("worker", LEASE_S) is None


def test_a_paused_search_goes_on_with_a_new_token(jobs: Jobs, clock: FakeClock) -> None:
    add(jobs, clock)
    job = claimed(jobs)
    jobs.ask_to(job.id, "pause")
    jobs.stop(job)
    jobs.ask_to(job.id, "run")
    again = claimed(jobs)
    assert (again.id, again.token) == (job.id, 2)


def test_a_pause_that_is_taken_back_in_time_stops_nothing(jobs: Jobs, clock: FakeClock) -> None:
    add(jobs, clock)
    job = claimed(jobs)
    jobs.ask_to(job.id, "pause")
    jobs.ask_to(job.id, "run")
    assert jobs.beat(job, {}, LEASE_S) == "run"


def test_a_pause_whose_worker_died_is_carried_out(jobs: Jobs, clock: FakeClock) -> None:
    (job,) = add(jobs, clock)
    claimed(jobs)
    jobs.ask_to(job.id, "pause")
    clock.now_s += LEASE_S + 1
    assert jobs.claim("other", LEASE_S) is None
    assert jobs.get(job.id).state == "paused"


@pytest.mark.parametrize(("error", "state"), [(None, "done"), ("no such layer", "failed")])
def test_an_end(jobs: Jobs, clock: FakeClock, error: str | None, state: str) -> None:
    add(jobs, clock)
    job = jobs.end(claimed(jobs), error)
    assert (job.state, job.error, job.finished_at) == (state, error, clock.now_s)
    with pytest.raises(ConflictError):
        jobs.ask_to(job.id, "run")


def test_changes_at_the_same_time_are_all_made(
    jobs: Jobs, clock: FakeClock, store_url: str
) -> None:
    """None overwrites another: each begins again on what the other left."""
    (job,) = add(jobs, clock)
    start = threading.Barrier(4)

    def flip(_: int) -> None:
        with database_at(store_url) as database:
            mine = Jobs(database, clock)
            start.wait()
            for _ in range(5):
                mine.ask_to(job.id, "pause")
                mine.ask_to(job.id, "run")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(flip, range(4)))
    found = jobs.get(job.id)
    states = [event["state"] for event in found.history]
    # Version counts the writes, history what they wrote: none is missing.
    assert len(states) == found.version + 1
    assert states == ["queued", "paused"] * (len(states) // 2) + ["queued"] * (len(states) % 2)


def test_pages_follow_each_other_without_gaps(jobs: Jobs, clock: FakeClock) -> None:
    added = [job.id for job in add(jobs, clock, 5)]
    clock.now_s += 1
    twins = sorted((jobs.add({}, "ben", digit * 32).id for digit in "21"), reverse=True)
    seen: list[str] = []
    before: Any = None
    while page := jobs.page(2, before):
        seen += [job.id for job in page]
        before = page[-1].created_at, page[-1].id
    assert seen == [*twins, *reversed(added)]


def test_searches_are_counted(jobs: Jobs, clock: FakeClock) -> None:
    first, second, third = add(jobs, clock, 3)
    jobs.ask_to(second.id, "cancel")
    jobs.ask_to(third.id, "pause")
    assert claimed(jobs).id == first.id
    assert jobs.by_state() == {"running": 1, "cancelled": 1, "paused": 1}
    assert (jobs.unfinished_of("anna"), jobs.unfinished_of("ben")) == (2, 0)
    assert [job.id for job in jobs.page(state="paused")] == [third.id]
