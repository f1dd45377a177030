from __future__ import annotations

from starlette.testclient import TestClient

from api.service import Service
from tests.api.conftest import bearer

PLACE = "/v1/keys"


def test_a_key_is_made_shown_once_and_revoked(client: TestClient, stranger: TestClient) -> None:
    answer = client.post(PLACE, json={"name": "anna", "role": "read", "per_minute": 60})
    assert answer.status_code == 201
    secret = answer.json()["secret"]
    assert stranger.get("/v1/searches", headers=bearer(secret)).status_code == 200
    listed = client.get(PLACE)
    assert [key["name"] for key in listed.json()["keys"]] == ["anna"]
    assert secret not in listed.text and "digest" not in listed.text
    assert client.delete(f"{PLACE}/anna").status_code == 204
    assert stranger.get("/v1/searches", headers=bearer(secret)).status_code == 401
    assert client.delete(f"{PLACE}/anna").status_code == 404
    assert client.post(PLACE, json={"name": "anna", "role": "admin"}).status_code == 409


def test_a_secret_is_not_kept_for_who_asks_again(client: TestClient, service: Service) -> None:
    once = {"Idempotency-Key": "a"}
    body = {"name": "anna", "role": "read"}
    first = client.post(PLACE, json=body, headers=once).json()
    again = client.post(PLACE, json=body, headers=once)
    assert again.status_code == 201
    assert again.json() == {**first, "secret": None}
    service.database.close()
    folder = service.settings.data_dir
    assert not any(first["secret"].encode() in p.read_bytes() for p in folder.glob("haq.sqlite*"))


def test_the_audit_has_no_secret(client: TestClient) -> None:
    secret = client.post(PLACE, json={"name": "anna", "role": "read"}).json()["secret"]
    answer = client.get("/v1/audit")
    assert answer.json()["lines"][0]["action"] == "make_key"
    assert secret not in answer.text
