from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable

import pytest
import stamina

from haq.client import Client, Event, ServerInvalidError, ServerLostError, ServerUnknownError
from haq.client.events import parse
from tests.haq.board import wire
from tests.haq.client.losses import Cutting
from tests.haq.client.served import Served

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
SEARCH = "0" * 32


def ended_search(served: Served, trials: int) -> str:
    """One with so many trials that a worker has brought to its end."""
    with served.client() as client:
        made = client.begin()
    job = served.take()
    served.put_trials(made.id, *range(1, trials + 1))
    served.service.jobs.beat(job, {"stage": "search", "done": 1, "total": trials}, 60)
    served.service.jobs.end(job, None)
    return made.id


def told(kind: str, data: object, place: str | None = None) -> bytes:
    head = "" if place is None else f"id: {place}\n"
    return f"{head}event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


def wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_from_the_first_state_to_the_end(served: Served, client: Client) -> None:
    found = list(client.events(ended_search(served, 3)))
    kinds = [event.kind for event in found if event.kind != "progress"]
    assert kinds == ["state", "state", "trial", "trial", "trial", "state", "end"]
    states = [event.data["state"] for event in found if event.kind == "state"]
    assert states == ["queued", "running", "done"]
    assert [event.data["episode"] for event in found if event.kind == "trial"] == [1, 2, 3]
    assert found[-1] == Event("end", {"state": "done"})


def test_behind_an_event(served: Served, client: Client) -> None:
    search_id = ended_search(served, 3)
    whole = [event for event in client.events(search_id) if event.kind != "progress"]
    rest = [e for e in client.events(search_id, since=whole[3].id) if e.kind != "progress"]
    assert rest == whole[4:]


@pytest.mark.parametrize("after_bytes", range(300, 700, 37))
def test_nothing_is_lost_or_told_twice_where_connections_break(
    served: Served, client: Client, after_bytes: int
) -> None:
    search_id = ended_search(served, 12)
    whole = list(client.events(search_id))
    breaking = Cutting(*[after_bytes] * 4)
    with (
        stamina.set_testing(True, attempts=2),
        served.client(transport=breaking) as unlucky,
    ):
        assert list(unlucky.events(search_id)) == whole
    assert len(breaking.requests) == 5


def test_what_happens_meanwhile_comes_as_it_happens(served: Served, client: Client) -> None:
    made = client.begin()
    found: list[Event] = []
    follower = threading.Thread(target=lambda: found.extend(client.events(made.id)))
    follower.start()
    wait_for(lambda: served.service.hub.followers == 1)
    job = served.take()
    served.put_trials(made.id, 1)
    served.put_trials(made.id, 2)
    served.service.jobs.end(job, "no board")
    follower.join(20)
    assert [e.data["episode"] for e in found if e.kind == "trial"] == [1, 2]
    assert found[-1].data == {"state": "failed"}


def test_wait_gives_the_search_as_it_ended(served: Served, client: Client) -> None:
    found = client.wait(ended_search(served, 2))
    assert (found.state, found.trials, found.has_ended) == ("done", 2, True)


def test_who_stops_listening_hangs_up(served: Served, client: Client) -> None:
    events = client.events(client.begin().id)
    assert next(events).data["state"] == "queued"
    assert served.service.hub.followers == 1
    events.close()  # type: ignore[attr-defined]
    wait_for(lambda: served.service.hub.followers == 0)


def test_a_search_that_is_not_there(client: Client) -> None:
    with pytest.raises(ServerUnknownError):
        next(client.events(SEARCH))


def test_the_same_progress_is_told_once() -> None:
    one, two = {"stage": "search", "done": 1}, {"stage": "search", "done": 2}
    first = HEAD + told("state", {}, "1-0") + told("progress", one)
    second = HEAD + told("progress", one) + told("progress", two) + told("end", {})
    with (
        stamina.set_testing(True, attempts=2),
        wire.serving(wire.sending(first), wire.sending(second)) as server,
        Client(server.url) as client,
    ):
        found = list(client.events(SEARCH))
    assert [(e.kind, e.data.get("done")) for e in found] == [
        *(("state", None), ("progress", 1), ("progress", 2), ("end", None))
    ]
    assert b"last-event-id" not in server.heads[0].lower()
    assert b"last-event-id: 1-0" in server.heads[1].lower()


def test_half_an_event_is_none() -> None:
    half = HEAD + told("state", {"state": "queued"}, "1-0")[:-2]
    whole = HEAD + told("state", {"state": "queued"}, "1-0") + told("end", {})
    with (
        stamina.set_testing(True, attempts=2),
        wire.serving(wire.sending(half), wire.sending(whole)) as server,
        Client(server.url) as client,
    ):
        assert [event.kind for event in client.events(SEARCH)] == ["state", "end"]


def test_a_server_that_only_hangs_up_is_lost() -> None:
    with (
        stamina.set_testing(True, attempts=3),
        wire.serving(wire.sending(HEAD)) as server,
        Client(server.url) as client,
        pytest.raises(ServerLostError, match="stopped to tell of the search"),
    ):
        list(client.events(SEARCH))
    assert len(server.heads) == 3


@pytest.mark.parametrize("data", ["no json", "[1]"])
def test_what_is_no_event_comes_from_no_haq_server(data: str) -> None:
    said = HEAD + f"event: state\ndata: {data}\n\n".encode()
    with (
        wire.serving(wire.sending(said)) as server,
        Client(server.url) as client,
        pytest.raises(ServerInvalidError, match="is not a haq server"),
    ):
        list(client.events(SEARCH))


def test_comments_and_unknown_fields_are_nothing() -> None:
    lines = ["retry: 1000", "", ":", "", "data:1", "colour: red", ""]
    assert list(parse(lines)) == [{"data": "1", "colour": "red"}]
