from __future__ import annotations

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.access.sessions import COOKIE
from api.pages.routes.session import inside
from tests.api.conftest import ADMIN_KEY
from tests.api.pages.made_up import Page

HTML = {"Accept": "text/html"}


def test_a_browser_without_a_key_is_asked_for_one_and_led_back(stranger: TestClient) -> None:
    answer = stranger.get("/runs?state=done", headers=HTML)
    assert answer.status_code == 303
    asked = stranger.get(answer.headers["location"])
    assert Page(asked.text).all("input", name="next")[0]["value"] == "/runs?state=done"
    answer = stranger.post("/login", data={"key": ADMIN_KEY, "next": "/boards"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/boards")
    assert stranger.get("/boards").status_code == 200


def test_the_cookie_is_kept_from_scripts_and_other_sites(stranger: TestClient) -> None:
    cookie = stranger.post("/login", data={"key": ADMIN_KEY}).headers["set-cookie"].lower()
    assert cookie.startswith(f"{COOKIE}=")
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie


def test_by_https_the_cookie_stays_there(app: FastAPI, stranger: TestClient) -> None:
    client = TestClient(app, base_url="https://testserver", follow_redirects=False)
    assert "Secure" in client.post("/login", data={"key": ADMIN_KEY}).headers["set-cookie"]
    behind_proxy = {"Origin": "https://testserver"}
    answer = stranger.post("/login", data={"key": ADMIN_KEY}, headers=behind_proxy)
    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize("key", ["", "wrong"])
def test_a_wrong_key_is_told(stranger: TestClient, key: str) -> None:
    answer = stranger.post("/login", data={"key": key, "next": "/boards"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    page = Page(answer.text)
    assert "not known here" in page.text
    assert page.all("input", name="next")[0]["value"] == "/boards"
    assert "value" not in page.all("input", name="key")[0]


OUTSIDE = (
    *("https://other.example", "//other.example", "/\\other.example", "\\\\other.example"),
    *("javascript:alert(1)", "/\n/other.example", "/\t/other.example", "runs", ""),
)


@pytest.mark.parametrize("onward", OUTSIDE)
def test_nobody_is_led_elsewhere(stranger: TestClient, onward: str) -> None:
    answer = stranger.post("/login", data={"key": ADMIN_KEY, "next": onward})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


@pytest.mark.parametrize("onward", ["/", "/runs/ab?y=top1&sort=kl", "/compare?run=1#x"])
def test_addresses_of_this_site_are_followed(onward: str) -> None:
    assert inside(onward) == onward


def test_another_site_may_not_sign_anybody_in(stranger: TestClient) -> None:
    headers = {"Origin": "https://other.example"}
    assert stranger.post("/login", data={"key": ADMIN_KEY}, headers=headers).status_code == 403


def test_signing_out_forgets(stranger: TestClient) -> None:
    stranger.post("/login", data={"key": ADMIN_KEY})
    assert "Sign out" in stranger.get("/").text
    assert stranger.post("/logout").status_code == 303
    assert stranger.get("/", headers=HTML).headers["location"].startswith("/login")


def test_a_form_that_comes_too_late_leads_to_the_first_page(stranger: TestClient) -> None:
    answer = stranger.post("/runs/ab/pause", headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2F")
