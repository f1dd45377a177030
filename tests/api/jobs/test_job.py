from __future__ import annotations

from dataclasses import replace

import pytest

from api.errors import ConflictError
from api.jobs.job import ENDED, STOPPED, Job, State, Wanted, asked_to, entered, stopped, taken

WAITING = Job("1" * 32, {}, "anna", 1.0)
RUNNING = taken(WAITING, "worker", 20.0, 5.0)
WISHES: tuple[Wanted, ...] = ("run", "pause", "cancel")


def states(job: Job) -> list[State]:
    return [event["state"] for event in job.history]


def test_a_search_is_begun_and_taken_up_again() -> None:
    assert (RUNNING.state, RUNNING.owner, RUNNING.lease_until, RUNNING.token) == (
        "running", "worker", 20.0, 1
    )  # fmt: skip
    assert RUNNING.history == ({"state": "running", "at": 5.0, "note": "begun by worker"},)
    again = taken(RUNNING, "other", 40.0, 21.0)
    assert (again.owner, again.token) == ("other", 2)
    assert again.history[-1]["note"] == "taken up again by other"


@pytest.mark.parametrize("state", sorted(ENDED))
def test_what_has_ended_has_a_time_and_no_owner(state: State) -> None:
    job = entered(RUNNING, state, 9.0)
    assert (job.finished_at, job.owner, job.lease_until, job.has_ended) == (9.0, None, None, True)


@pytest.mark.parametrize("wanted", WISHES)
def test_a_stopped_search_is_what_was_wanted(wanted: Wanted) -> None:
    job = stopped(replace(RUNNING, wanted=wanted), 9.0, "why")
    assert (job.state, job.owner, job.history[-1]["note"]) == (STOPPED[wanted], None, "why")


@pytest.mark.parametrize("wanted", WISHES)
def test_a_running_search_is_left_to_its_worker(wanted: Wanted) -> None:
    job = asked_to(RUNNING, wanted, 9.0)
    assert (job.state, job.wanted, job.token) == ("running", wanted, RUNNING.token)


@pytest.mark.parametrize(("wanted", "state"), [("pause", "paused"), ("cancel", "cancelled")])
def test_a_waiting_search_is_stopped_at_once(wanted: Wanted, state: State) -> None:
    assert asked_to(WAITING, wanted, 9.0).state == state


def test_a_paused_search_goes_on_or_ends() -> None:
    paused = asked_to(WAITING, "pause", 9.0)
    assert states(asked_to(paused, "run", 10.0)) == ["paused", "queued"]
    assert states(asked_to(paused, "cancel", 10.0)) == ["paused", "cancelled"]


@pytest.mark.parametrize("wanted", WISHES)
@pytest.mark.parametrize("job", [WAITING, RUNNING])
def test_what_is_asked_for_twice_happens_once(job: Job, wanted: Wanted) -> None:
    once = asked_to(job, wanted, 9.0)
    assert asked_to(once, wanted, 10.0) == once


@pytest.mark.parametrize("wanted", WISHES)
@pytest.mark.parametrize("state", sorted(ENDED))
def test_an_end_is_for_good(state: State, wanted: Wanted) -> None:
    job = entered(RUNNING, state, 9.0)
    if (state, wanted) == ("cancelled", "cancel"):
        assert asked_to(job, wanted, 10.0) == job
    else:
        with pytest.raises(ConflictError, match=f"is {state}: it cannot {wanted}"):
            asked_to(job, wanted, 10.0)


@pytest.mark.parametrize(("wanted", "state"), [("pause", "paused"), ("cancel", "cancelled")])
def test_what_a_silent_worker_did_not_see_to_is_done_by_the_next(
    wanted: Wanted, state: State
) -> None:
    job = taken(replace(RUNNING, wanted=wanted), "other", 40.0, 21.0)
    assert (job.state, job.token, job.owner) == (state, 1, None)


def test_who_may_be_taken() -> None:
    assert WAITING.is_free(0.0)
    assert not RUNNING.is_free(20.0)
    assert RUNNING.is_free(20.1)
    assert not asked_to(WAITING, "pause", 9.0).is_free(100.0)
    assert not entered(RUNNING, "done", 9.0).is_free(100.0)
