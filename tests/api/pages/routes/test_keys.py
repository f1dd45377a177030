from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from api.service import Service
from tests.api.pages.made_up import Page


def test_a_key_is_made_and_its_secret_shown_once(service: Service, client: TestClient) -> None:
    answer = client.post("/keys", data={"name": "anna", "role": "run", "per_minute": "60"})
    assert answer.status_code == 201
    (key,) = service.keys.in_force()
    assert (key.name, key.role, key.per_minute, key.max_searches) == ("anna", "run", 60, None)
    start = answer.text.index("haq_")
    secret = answer.text[start : answer.text.index("<", start)]
    assert service.keys.find(secret.encode()) == key
    assert secret not in client.get("/keys").text


def test_a_key_is_revoked(service: Service, client: TestClient) -> None:
    service.keys.add("anna", "run")
    text = client.post("/keys/anna/revoke").text
    assert not service.keys.in_force()
    assert "revoke key" in Page(text).text


@pytest.mark.parametrize(
    ("typed", "status"),
    [
        ({"name": "operator", "role": "run"}, 422),
        ({"name": "a b", "role": "run"}, 422),
        ({"name": "anna", "role": "all"}, 422),
        ({"name": "bert", "role": "read"}, 409),
    ],
)
def test_what_cannot_be_made_is_told(
    service: Service, client: TestClient, typed: dict[str, str], status: int
) -> None:
    service.keys.add("bert", "read")
    answer = client.post("/keys", data=typed)
    page = Page(answer.text)
    assert answer.status_code == status
    assert page.all("p", role="alert")
    assert page.all("input", name="name")[0]["value"] == typed["name"]
    assert len(service.keys.in_force()) == 1


def test_the_audit_says_who_made_it(client: TestClient) -> None:
    client.post("/keys", data={"name": "anna", "role": "run"})
    assert "make key" in Page(client.get("/keys").text).text
