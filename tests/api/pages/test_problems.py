from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from api.access.roles import Role
from api.pages.render import CONTENT_POLICY
from tests.api.conftest import Headers
from tests.api.pages.made_up import Page

HTML = {"Accept": "text/html,*/*"}
NOWHERE = "/runs/" + "0" * 32


def test_people_see_a_page(client: TestClient) -> None:
    answer = client.get(NOWHERE, headers=HTML)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"] == CONTENT_POLICY
    assert "there is no search" in Page(answer.text).text


@pytest.mark.parametrize(("path", "accept"), [(NOWHERE, "*/*"), ("/v1/searches/x", "text/html")])
def test_programs_get_an_object(client: TestClient, path: str, accept: str) -> None:
    answer = client.get(path, headers={"Accept": accept})
    assert answer.headers["content-type"] == "application/problem+json"


def test_what_the_guard_refuses_is_a_page_too(
    client: TestClient, keys: dict[Role, Headers]
) -> None:
    answer = client.get("/keys", headers={**HTML, **keys["run"]})
    assert answer.status_code == 403
    assert "takes a key with the role admin" in Page(answer.text).text


def test_what_else_an_answer_says_stays(client: TestClient) -> None:
    answer = client.put("/boards", headers=HTML)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET"
    assert answer.headers["x-request-id"]


def test_names_of_others_are_text(client: TestClient) -> None:
    answer = client.get("/?state=<script>", headers=HTML)
    assert answer.status_code == 422
    assert "<script>alert" not in answer.text
    assert len(Page(answer.text).all("script")) == 1
