from __future__ import annotations

import httpx2
import pytest
import stamina

from haq.board.connection import Connection
from haq.board.jobs import Jobs
from quant.errors import BoardBusyError, BoardError, BoardInvalidError, BoardLostError
from tests.haq.board.queue import (
    QueueAgent,
    Reply,
    done,
    header,
    lease_lost,
    lost,
    problem,
    stopping,
)


def run(agent: QueueAgent, attempts: int = 1) -> object:
    connection = Connection("http://board", transport=agent.transport)
    with stamina.set_testing(True, attempts=attempts):
        return Jobs(connection).run("/v1/measure", {"n": 1}, timeout_s=7.0)


def test_a_job_has_a_lease_and_a_key_of_its_own() -> None:
    agent = QueueAgent([done, done])
    assert run(agent) == run(agent) == {"done": {"n": 1}}
    assert agent.asked[:3] == ["POST /v1/leases", "POST /v1/measure", "DELETE /v1/leases/lease-1"]
    assert header(agent.jobs, "Haq-Lease") == ["101", "102"]
    assert len(set(header(agent.jobs, "Idempotency-Key"))) == 2


def test_the_time_out_is_that_of_the_job() -> None:
    agent = QueueAgent([done])
    run(agent)
    assert agent.jobs[0].extensions["timeout"]["read"] == 7.0
    assert agent.jobs[0].extensions["timeout"]["connect"] < 7.0


@pytest.mark.parametrize("failure", [lost, stopping])
def test_a_job_is_asked_for_again_by_the_same_key_and_lease(failure: Reply) -> None:
    agent = QueueAgent([failure, failure, done])
    assert run(agent, attempts=3) == {"done": {"n": 1}}
    assert len(agent.jobs) == 3
    assert len(set(header(agent.jobs, "Idempotency-Key"))) == 1
    assert len(set(header(agent.jobs, "Haq-Lease"))) == 1
    assert agent.asked.count("POST /v1/leases") == 1


def test_a_lost_lease_is_taken_anew_and_the_key_kept() -> None:
    """The agent was started again, or the lease ran out, while the connection was lost."""
    agent = QueueAgent([lost, lease_lost, done])
    assert run(agent, attempts=2) == {"done": {"n": 1}}
    assert header(agent.jobs, "Haq-Lease") == ["101", "101", "102"]
    assert len(set(header(agent.jobs, "Idempotency-Key"))) == 1
    assert agent.asked[-1] == "DELETE /v1/leases/lease-2"


def test_a_lease_that_is_lost_again_is_not_taken_a_third_time() -> None:
    agent = QueueAgent([lease_lost, lease_lost, done])
    with pytest.raises(BoardBusyError, match="lease-lost"):
        run(agent, attempts=4)
    assert agent.asked.count("POST /v1/leases") == 2


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (lost, BoardLostError),
        (stopping, BoardBusyError),
        (lambda request: problem(422, "job-failed"), BoardInvalidError),
        (lambda request: problem(507, "disk-full"), BoardError),
    ],
)
def test_the_lease_is_given_back_after_a_failure(failure: Reply, kind: type[BoardError]) -> None:
    agent = QueueAgent([failure])
    with pytest.raises(kind):
        run(agent)
    assert agent.asked[-1] == "DELETE /v1/leases/lease-1"


def test_the_lease_is_given_back_after_an_interrupt() -> None:
    def interrupted(request: httpx2.Request) -> httpx2.Response:
        raise KeyboardInterrupt

    agent = QueueAgent([interrupted])
    with pytest.raises(KeyboardInterrupt):
        run(agent)
    assert agent.asked[-1] == "DELETE /v1/leases/lease-1"


def test_the_wait_for_the_board_is_no_part_of_the_time_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("haq.board.lease.POLL_S", 0.0)
    agent = QueueAgent([done], places=[[3, 2, 2, 1, 1, 1]])
    assert run(agent) == {"done": {"n": 1}}
    assert agent.asked.count("PUT /v1/leases/lease-1") == 6
    assert agent.jobs[0].extensions["timeout"]["read"] == 7.0
