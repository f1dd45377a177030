from __future__ import annotations

import json

import pytest
from starlette.testclient import TestClient

from api.service import Service
from bench.api.follower import read
from tests.api.runs import made_up_trial, put_search, put_trials

COUNT = 5


@pytest.fixture
def place(client: TestClient, service: Service) -> str:
    """The events of a search that has ended."""
    job = put_search(service)
    put_trials(service.database, job.id, (made_up_trial(n) for n in range(1, COUNT + 1)))
    service.jobs.ask_to(job.id, "cancel")
    return f"/v1/searches/{job.id}/events"


def told(client: TestClient, place: str, **headers: str) -> list[tuple[str | None, str, str]]:
    with client.stream("GET", place, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        return list(read(answer.iter_lines()))


def test_all_of_a_search_is_told(client: TestClient, place: str) -> None:
    events = told(client, place)
    assert [kind for _, kind, _ in events] == ["state", *["trial"] * COUNT, "state", "end"]
    assert [json.loads(data)["episode"] for _, kind, data in events if kind == "trial"] == list(
        range(1, COUNT + 1)
    )
    assert json.loads(events[-1][2]) == {"state": "cancelled"}


@pytest.mark.parametrize("as_header", [True, False])
def test_behind_each_id_comes_the_rest(client: TestClient, place: str, as_header: bool) -> None:
    events = told(client, place)
    for number, (place_id, _, _) in enumerate(events):
        if place_id is None:
            continue
        headers = {"Last-Event-ID": place_id} if as_header else {}
        address = place if as_header else f"{place}?since={place_id}"
        assert told(client, address, **headers) == events[number + 1 :]


def test_the_header_goes_before_the_address(client: TestClient, place: str) -> None:
    """A browser that connects again keeps the address and sends the header."""
    events = told(client, place)
    last = events[-2][0]
    assert last is not None
    assert told(client, f"{place}?since=0-0", **{"Last-Event-ID": last}) == events[-1:]


def test_no_stream_is_left_open(client: TestClient, place: str, service: Service) -> None:
    told(client, place)
    assert service.hub.followers == 0
    assert "haq_service_streams 0.0" in client.get("/metrics").text
