from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from api.access.guard import is_open
from api.access.roles import Role
from api.access.sessions import COOKIE
from api.app import create_app
from api.service import Service
from api.settings import Settings
from tests.api.conftest import ADMIN_KEY, Headers, bearer

PLACE = "/v1/searches"
HERE = ("127.0.0.1", 4000)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer("wrong"),
        bearer(""),
        {"Authorization": ADMIN_KEY},
        {"Authorization": f"Basic {ADMIN_KEY}"},
        {"Authorization": f"Bearer {ADMIN_KEY}x"},
        {"X-Api-Key": ADMIN_KEY},
        {"Cookie": f"{COOKIE}={ADMIN_KEY}"},
    ],
)
def test_without_a_key_nobody_is_let_in(stranger: TestClient, headers: Headers) -> None:
    answer = stranger.get(PLACE, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"
    assert ADMIN_KEY not in answer.text


def test_a_key_in_the_address_is_none(stranger: TestClient) -> None:
    assert stranger.get(f"{PLACE}?key={ADMIN_KEY}&access_token={ADMIN_KEY}").status_code == 401


def test_two_keys_are_none(stranger: TestClient) -> None:
    twice = [("Authorization", f"Bearer {ADMIN_KEY}"), ("Authorization", "Bearer x")]
    assert stranger.get(PLACE, headers=twice).status_code == 401


def test_a_revoked_key_is_out_at_once(
    stranger: TestClient, service: Service, keys: dict[Role, Headers]
) -> None:
    assert stranger.get(PLACE, headers=keys["run"]).status_code == 200
    service.keys.revoke("run")
    assert stranger.get(PLACE, headers=keys["run"]).status_code == 401


def test_a_cookie_ends_with_its_key(
    stranger: TestClient, service: Service, keys: dict[Role, Headers]
) -> None:
    cookie = {"Cookie": f"{COOKIE}={service.sessions.issue('run')}"}
    assert stranger.get(PLACE, headers=cookie).status_code == 200
    assert stranger.get("/v1/keys", headers=cookie).status_code == 403
    service.keys.revoke("run")
    assert stranger.get(PLACE, headers=cookie).status_code == 401


def test_another_sites_page_changes_nothing(stranger: TestClient, service: Service) -> None:
    cookie = {"Cookie": f"{COOKIE}={service.sessions.issue('operator')}"}
    foreign = {**cookie, "Origin": "https://elsewhere.example"}
    assert stranger.post(PLACE, json={}, headers=foreign).status_code == 403
    assert stranger.post(PLACE, json={}, headers={**cookie, "Origin": "null"}).status_code == 403
    assert service.jobs.page() == []
    own = {**cookie, "Origin": "http://testserver"}
    assert stranger.post(PLACE, json={}, headers=own).status_code == 201


def test_who_looks_with_a_browser_is_asked_for_a_key(stranger: TestClient) -> None:
    answer = stranger.get("/models?x=1&y=//z", headers={"Accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=%2Fmodels%3Fx%3D1%26y%3D%2F%2Fz"
    assert stranger.get(PLACE, headers={"Accept": "text/html"}).status_code == 401


def test_websockets_are_turned_away(client: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(PLACE):
        pass


def test_a_key_has_so_many_requests_a_minute(stranger: TestClient, service: Service) -> None:
    slow = bearer(service.keys.add("slow", "read", per_minute=2))
    assert [stranger.get(PLACE, headers=slow).status_code for _ in range(2)] == [200, 200]
    answer = stranger.get(PLACE, headers=slow)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 30
    assert stranger.get("/healthz").status_code == 200


def test_what_is_refused_uses_nothing_up(stranger: TestClient, service: Service) -> None:
    slow = bearer(service.keys.add("slow", "read", per_minute=1))
    for _ in range(3):
        assert stranger.post(PLACE, json={}, headers=slow).status_code == 403
    assert stranger.get(PLACE, headers=slow).status_code == 200


@pytest.fixture
def keyless(settings: Settings) -> FastAPI:
    return create_app(settings.model_copy(update={"admin_key": None}))


def ask(app: FastAPI, address: str, here: tuple[str, int], **headers: str) -> int:
    return TestClient(app, base_url=address, client=here).get(PLACE, headers=headers).status_code


def test_without_any_key_this_machine_is_served(keyless: FastAPI) -> None:
    assert ask(keyless, "http://127.0.0.1:8200", HERE) == 200
    assert ask(keyless, "http://127.0.0.1:8200", HERE, Host="localhost:8200") == 200


@pytest.mark.parametrize(
    ("address", "here", "host"),
    [
        ("http://127.0.0.1:8200", ("10.0.0.2", 4000), "127.0.0.1"),
        ("http://10.0.0.1:8200", HERE, "127.0.0.1"),
        ("http://127.0.0.1:8200", HERE, "elsewhere.example"),
        ("http://127.0.0.1:8200", HERE, "127.0.0.1.elsewhere.example"),
    ],
)
def test_without_any_key_others_are_not_served(
    keyless: FastAPI, address: str, here: tuple[str, int], host: str
) -> None:
    """The last two are a page in a browser here, by a name that leads to this machine."""
    assert ask(keyless, address, here, Host=host) == 403


def test_a_wrong_key_is_wrong_where_none_is_needed(keyless: FastAPI) -> None:
    assert ask(keyless, "http://127.0.0.1", HERE, Authorization="Bearer x") == 401


@pytest.mark.parametrize(
    "path", ["/healthz/", "/HEALTHZ", "/static", "/staticx", "/loginx", "/login/", "//healthz", ""]
)
def test_what_is_nearly_open_is_closed(path: str) -> None:
    assert not is_open(path)


def test_nothing_is_reached_by_way_of_an_open_folder(stranger: TestClient) -> None:
    for path in ("/static/../v1/keys", "/static/%2e%2e/v1/keys", "/static/..%2fv1%2fkeys"):
        assert stranger.get(path).status_code in {401, 404}


def test_nothing_outside_of_the_open_folder_is_read(
    stranger: TestClient, settings: Settings
) -> None:
    secret = (settings.data_dir / "session.key").read_bytes()
    up = "/".join([".."] * 12)
    for way in (up, up.replace("/", "%2f"), up.replace(".", "%2e")):
        answer = stranger.get(f"/static/{way}{settings.data_dir}/session.key")
        assert answer.status_code in {401, 404}
        assert secret not in answer.content


def test_the_folder_of_the_data_holds_no_key(settings: Settings, service: Service) -> None:
    secret = service.keys.add("anna", "run").encode()
    service.database.close()
    for path in Path(settings.data_dir).rglob("*"):
        assert not path.is_file() or secret not in path.read_bytes()
