from __future__ import annotations

import httpx2
import pytest
import stamina

from haq.board import lease
from haq.board.connection import Connection
from haq.board.lease import Lease
from quant.errors import BoardBusyError, BoardInvalidError
from tests.haq.board.queue import QueueAgent, problem


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "POLL_S", 0.0)


def connect(agent: QueueAgent) -> Connection:
    return Connection("http://board", transport=agent.transport)


def test_each_place_in_the_queue_is_told_once() -> None:
    told: list[str] = []
    agent = QueueAgent([], places=[[3, 3, 2, 2, 2, 1]])
    taken = Lease(connect(agent), told.append)
    taken.take()
    assert taken.token == 101
    assert told == [f"waiting for http://board: place {n} of its queue" for n in (3, 2, 1)]


def test_a_free_board_needs_no_word() -> None:
    told: list[str] = []
    agent = QueueAgent([])
    Lease(connect(agent), told.append).take()
    assert (told, agent.asked) == ([], ["POST /v1/leases"])


def test_the_wait_can_be_limited() -> None:
    agent = QueueAgent([], places=[[5] * 100_000])
    waiting = Lease(connect(agent), queue_limit_s=0.02)
    with pytest.raises(BoardBusyError, match=r"still at place 5 of its queue after 0\.02 s"):
        waiting.take()
    waiting.release()
    assert agent.asked[-1] == "DELETE /v1/leases/lease-1"


def test_an_agent_that_forgot_the_queue_is_joined_again() -> None:
    agent = QueueAgent([], places=[[2, 2], [1]])
    agent.lost_on_heartbeat = 1
    taken = Lease(connect(agent))
    taken.take()
    assert taken.token == 102
    assert agent.asked == [
        *("POST /v1/leases", "PUT /v1/leases/lease-1"),
        *("POST /v1/leases", "PUT /v1/leases/lease-2"),
    ]


def test_a_heartbeat_that_is_lost_is_sent_again() -> None:
    failures = iter([True, False])
    agent = QueueAgent([], places=[[1]])

    def respond(request: httpx2.Request) -> httpx2.Response:
        if request.method == "PUT" and next(failures, False):
            raise httpx2.ReadError("connection reset")
        return agent.respond(request)

    taken = Lease(Connection("http://board", transport=httpx2.MockTransport(respond)))
    with stamina.set_testing(True, attempts=2):
        taken.take()
    assert agent.asked == ["POST /v1/leases", "PUT /v1/leases/lease-1"]


def test_a_full_queue_is_busy() -> None:
    transport = httpx2.MockTransport(lambda request: problem(503, "queue-full"))
    with pytest.raises(BoardBusyError, match="answers 503: queue-full"):
        Lease(Connection("http://board", transport=transport)).take()


def test_giving_back_never_fails() -> None:
    agent = QueueAgent([])

    def respond(request: httpx2.Request) -> httpx2.Response:
        if request.method == "DELETE":
            raise httpx2.ConnectError("gone")
        return agent.respond(request)

    taken = Lease(Connection("http://board", transport=httpx2.MockTransport(respond)))
    taken.release()
    taken.take()
    taken.release()


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"id": "x", "state": "lost", "position": 0, "token": 1},
        {"id": "x", "state": "held", "position": 0, "token": "first"},
        [],
    ],
)
def test_other_answers_are_no_lease(answer: object) -> None:
    transport = httpx2.MockTransport(lambda request: httpx2.Response(201, json=answer))
    with pytest.raises(BoardInvalidError, match="not a haq device agent"):
        Lease(Connection("http://board", transport=transport)).take()


def test_the_id_of_a_lease_is_one_part_of_the_path() -> None:
    asked: list[bytes] = []

    def respond(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.raw_path)
        body = {"id": "../files/x?", "state": "held", "position": 0, "token": 1}
        return httpx2.Response(201, json=body)

    taken = Lease(Connection("http://board", transport=httpx2.MockTransport(respond)))
    taken.take()
    taken.release()
    assert asked[1] == b"/v1/leases/..%2Ffiles%2Fx%3F"
