from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from api.service import Service
from tests.api.pages.made_up import Page, put_run, trial


def test_policies_layer_by_layer(service: Service, client: TestClient) -> None:
    job = put_run(service, [trial(1), trial(2)])
    page = Page(client.get(f"/compare?policy={job.id}:1&policy={job.id}:2").text)
    assert "1 of 3 layers differ" in page.text
    assert len(page.all("tr", **{"class": "differs"})) == 1


def test_searches_setting_by_setting(service: Service, client: TestClient) -> None:
    one, other = put_run(service, [trial(1)], seed=1), put_run(service, [trial(1)], seed=2)
    text = client.get(f"/compare?run={one.id}&run={other.id}").text
    assert "Settings that differ" in text
    assert f"A: {one.id[:8]}: 0.5 after 1 episodes" in text
    assert "seed" in Page(text).text


@pytest.mark.parametrize("count", [1, 5])
def test_two_to_four_compare(service: Service, client: TestClient, count: int) -> None:
    job = put_run(service, [trial(n) for n in range(1, 6)])
    query = "&".join(f"policy={job.id}:{n}" for n in range(1, count + 1))
    answer = client.get(f"/compare?{query}")
    assert (answer.status_code, answer.json()["detail"]) == (422, "choose two to four to compare")


def test_the_same_twice_is_one(service: Service, client: TestClient) -> None:
    job = put_run(service, [trial(1)])
    assert client.get(f"/compare?policy={job.id}:1&policy={job.id}:1").status_code == 422


@pytest.mark.parametrize("query", ["policy=x", "run=x", "policy=" + "0" * 32 + ":"])
def test_what_names_nothing_is_refused(client: TestClient, query: str) -> None:
    assert client.get(f"/compare?{query}").status_code == 422


def test_what_is_not_there(client: TestClient) -> None:
    names = ["0" * 32, "1" * 32]
    assert client.get("/compare", params={"run": names}).status_code == 404


def test_without_names_it_says_how(client: TestClient) -> None:
    assert "Choose two to four" in Page(client.get("/compare").text).text
