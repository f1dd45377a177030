from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from api.service import Service
from tests.api.pages.made_up import Page, put_run, trial


@pytest.fixture(autouse=True)
def within_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process is started to look at budgets: its own tests have these."""
    monkeypatch.setattr("api.asking.check_reach", lambda asked: None)


def test_policies_layer_by_layer(service: Service, client: TestClient) -> None:
    job = put_run(service, [trial(1), trial(2)])
    page = Page(client.get(f"/compare?policy={job.id}:1&policy={job.id}:2").text)
    assert "1 of 3 layers differ" in page.text
    assert len(page.all("tr", **{"class": "differs"})) == 1


def test_policies_are_judged_by_their_own_metrics(service: Service, client: TestClient) -> None:
    metric = {"name": "miou", "value": 0.123}
    other = put_run(service, [trial(1, top1=0.456)])
    job = put_run(service, [trial(n, metric=metric) for n in (1, 2)])
    alike = Page(client.get(f"/compare?policy={job.id}:1&policy={job.id}:2").text).text
    assert "miou" in alike
    assert alike.count("12.3 %") == 2
    assert "miou 12.3 %" not in alike
    mixed = Page(client.get(f"/compare?policy={job.id}:1&policy={other.id}:1").text).text
    for words in ("miou or top-1", "miou 12.3 %", "top-1 45.6 %"):
        assert words in mixed


def test_searches_setting_by_setting(service: Service, client: TestClient) -> None:
    one, other = put_run(service, [trial(1)], seed=1), put_run(service, [trial(1)], seed=2)
    text = client.get(f"/compare?run={one.id}&run={other.id}").text
    assert "Settings that differ" in text
    assert f"A: {one.id[:8]}: 0.5 after 1 episodes" in text
    assert "seed" in Page(text).text


def test_searches_of_one_network_have_one_front(service: Service, client: TestClient) -> None:
    bounds = (("size=0.5x",), ("size=0.3x",))
    one, other = (put_run(service, [trial(1)], budgets=budgets) for budgets in bounds)
    page = Page(client.get(f"/compare?run={one.id}&run={other.id}").text)
    assert len(page.all("svg")) == 2
    assert "KL from the float network against size, bytes" in page.text
    assert "A: trial 1" in page.text


@pytest.mark.parametrize("changes", [{"data": "faces"}, {"model": "mbv1"}, {"budgets": ()}])
def test_other_searches_have_no_front_together(
    service: Service, client: TestClient, changes: dict[str, Any]
) -> None:
    asked: dict[str, Any] = {"budgets": ("size=0.5x",)}
    one, other = (put_run(service, [trial(1)], **{**asked, **more}) for more in ({}, changes))
    page = Page(client.get(f"/compare?run={one.id}&run={other.id}").text)
    assert "These runs have no front together" in page.text


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
