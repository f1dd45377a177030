from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from api.access.roles import Role
from tests.api.conftest import Headers
from tests.api.pages.made_up import Page

PATHS = ("/", "/new", "/boards", "/keys", "/compare", "/login")


@pytest.mark.parametrize("path", PATHS)
def test_a_page_runs_nothing_but_our_own_script(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    page = Page(answer.text)
    assert [script["src"] for script in page.all("script")] == ["/static/live.js"]
    assert not any("style" in found for _, found in page.elements)
    assert not any(name.startswith("on") for _, found in page.elements for name in found)


@pytest.mark.parametrize("path", PATHS)
def test_a_page_asks_no_other_host(client: TestClient, path: str) -> None:
    page = Page(client.get(path).text)
    named = [found.get(name) for _, found in page.elements for name in ("src", "href", "action")]
    assert all(address.startswith(("/", "?", "#")) for address in named if address)


@pytest.mark.parametrize("path", PATHS)
def test_a_page_has_its_landmarks(client: TestClient, path: str) -> None:
    page = Page(client.get(path).text)
    for tag in ("h1", "main", "header", "footer", "title"):
        assert len(page.all(tag)) == 1
    assert page.all("a", href="#main")
    assert not any((found.get("tabindex") or "0") > "0" for _, found in page.elements)


def test_who_may_less_is_shown_less(client: TestClient, keys: dict[Role, Headers]) -> None:
    links = {
        role: {found["href"] for found in Page(client.get("/", headers=headers).text).all("a")}
        for role, headers in keys.items()
    }
    assert {"/new", "/keys"} <= links["admin"]
    assert "/new" in links["run"] - {"/keys"}
    assert not {"/new", "/keys"} & links["read"]
