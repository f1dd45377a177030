from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from api.access.roles import Role
from api.idempotency import STALE_S
from api.service import Service
from tests.api.conftest import Headers, bearer

PLACE = "/v1/searches"


def begin(client: TestClient, body: Any = None, **headers: str) -> Any:
    return client.post(PLACE, json=body or {}, headers=headers)


def test_a_search_is_begun_and_looked_at(client: TestClient) -> None:
    answer = begin(client, {"bits": "8,16", "seed": 3})
    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["location"] == f"{PLACE}/{made['id']}"
    assert (made["state"], made["spec"]["bits"], made["created_by"]) == (
        "queued",
        "8,16",
        "operator",
    )
    assert client.get(f"{PLACE}/{made['id']}").json() == made
    assert client.get(PLACE).json() == {"searches": [made], "next": None}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"bits": "2-8"}, 422),
        ({"bits": "none"}, 422),
        ({"budgets": ["size=0.5x", "size=0.4x"]}, 422),
        ({"budgets": ["x"]}, 422),
        ({"episodes": 0}, 422),
        ({"typing_error": 1}, 422),
        ({"model": "none"}, 404),
        ({"data": "none"}, 404),
        ({"calibration": "none:0-9"}, 404),
        ({"boards": ["none"]}, 422),
        ({"model": "../../etc/passwd"}, 422),
        ({"weights": "/etc/passwd"}, 422),
        ({"metric": "own:judge"}, 422),
        ({"metric": "json:dumps"}, 422),
        ({"metric": "iou"}, 422),
        ({"data": "fashion-mnist"}, 404),
        ({"table": "/etc/passwd"}, 422),
    ],
)
def test_what_makes_no_sense_is_not_begun(
    client: TestClient, service: Service, body: Any, status: int
) -> None:
    answer = begin(client, body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert service.jobs.page() == []


def test_the_same_request_begins_one_search(client: TestClient, service: Service) -> None:
    once = {"Idempotency-Key": "a"}
    first = begin(client, **once)
    again = begin(client, **once)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert first.headers["location"] == again.headers["location"] == f"{PLACE}/{first.json()['id']}"
    assert again.headers["idempotent-replayed"] == "true"
    assert begin(client, {"seed": 1}, **once).status_code == 422
    assert len(service.jobs.page()) == 1


def test_another_keys_request_is_another(
    stranger: TestClient, keys: dict[Role, Headers], service: Service
) -> None:
    for role in ("run", "admin"):
        headers = {**keys[role], "Idempotency-Key": "a"}
        assert stranger.post(PLACE, json={}, headers=headers).status_code == 201
    assert len(service.jobs.page()) == 2


def test_a_search_whose_server_died_before_it_answered_is_not_begun_twice(
    client: TestClient, service: Service, stranger: TestClient
) -> None:
    """Not even where it has filled the last place of its key."""
    key = bearer(service.keys.add("small", "run", max_searches=1))
    once = {**key, "Idempotency-Key": "a"}
    first = stranger.post(PLACE, json={}, headers=once).json()
    service.answers.forget("small", "a")
    again = stranger.post(PLACE, json={}, headers=once)
    assert (again.status_code, again.json()) == (201, first)
    assert stranger.post(PLACE, json={}, headers=key).status_code == 429
    service.jobs.ask_to(first["id"], "cancel")
    assert stranger.post(PLACE, json={}, headers=key).status_code == 201
    assert STALE_S > 0


def test_pause_resume_cancel(client: TestClient) -> None:
    place = f"{PLACE}/{begin(client).json()['id']}"
    for action, state in (("pause", "paused"), ("resume", "queued"), ("cancel", "cancelled")):
        for _ in range(2):
            answer = client.post(f"{place}/{action}")
            assert (answer.status_code, answer.json()["state"]) == (200, state)
    for action in ("pause", "resume"):
        assert client.post(f"{place}/{action}").status_code == 409
    states = [event["state"] for event in client.get(place).json()["history"]]
    assert states == ["queued", "paused", "queued", "cancelled"]


def test_a_clone_is_the_same_with_changes(client: TestClient) -> None:
    first = begin(client, {"bits": "8,16", "seed": 3, "episodes": 7}).json()
    answer = client.post(f"{PLACE}/{first['id']}/clone", json={"seed": 4})
    assert answer.status_code == 201
    assert answer.json()["id"] != first["id"]
    assert answer.json()["spec"] == {**first["spec"], "seed": 4}


def test_pages_are_all_of_them(client: TestClient) -> None:
    made = [begin(client, {"seed": seed}).json()["id"] for seed in range(5)]
    seen: list[str] = []
    more: dict[str, str] = {}
    while True:
        page = client.get(PLACE, params={"limit": "2", **more}).json()
        seen += [search["id"] for search in page["searches"]]
        if page["next"] is None:
            break
        more = {"before": page["next"]}
    assert seen == made[::-1]
    assert client.get(PLACE, params={"state": "done"}).json()["searches"] == []


@pytest.mark.parametrize("path", ["", "/pause", "/trials", "/pareto", "/events", "/artifacts"])
def test_a_search_that_is_not_there(client: TestClient, path: str) -> None:
    method = client.post if path == "/pause" else client.get
    answer = method(f"{PLACE}/{'0' * 32}{path}")
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:haq:problem:unknown"


def test_a_store_that_fails_is_no_end(
    client: TestClient, service: Service, monkeypatch: Any
) -> None:
    from quant.errors import StorageError

    def fail(*args: Any) -> Any:
        raise StorageError("no room")

    monkeypatch.setattr(service.jobs, "add", fail)
    answer = begin(client, **{"Idempotency-Key": "a"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    monkeypatch.undo()
    assert begin(client, **{"Idempotency-Key": "a"}).status_code == 201


def test_every_change_is_in_the_audit(client: TestClient, service: Service) -> None:
    made = begin(client).json()["id"]
    client.post(f"{PLACE}/{made}/pause")
    client.get(f"{PLACE}/{made}")
    lines = client.get("/v1/audit").json()["lines"]
    assert [(line["action"], line["target"], line["status"]) for line in lines] == [
        ("pause_search", f"{PLACE}/{made}/pause", 200),
        ("begin_search", PLACE, 201),
    ]
