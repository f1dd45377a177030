from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from api.service import Service
from api.views import front_of
from tests.api.runs import made_up_trial, put_search, put_trials

COUNT = 25


@pytest.fixture
def place(client: TestClient, service: Service) -> str:
    job = put_search(service)
    trials = [made_up_trial(n, reward=None if n == 3 else -1 / n) for n in range(1, COUNT + 1)]
    put_trials(service.database, job.id, trials)
    return f"/v1/searches/{job.id}"


def listed(client: TestClient, place: str, **params: Any) -> Any:
    answer = client.get(f"{place}/trials", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_pages_are_all_of_them(client: TestClient, place: str) -> None:
    seen: list[int] = []
    offset: int | None = 0
    while offset is not None:
        page = listed(client, place, offset=offset, limit=10)
        assert page["total"] == COUNT
        seen += [trial["episode"] for trial in page["trials"]]
        offset = page["next"]
    assert seen == list(range(1, COUNT + 1))


def test_sorted(client: TestClient, place: str) -> None:
    kls = [trial["kl"] for trial in listed(client, place, sort="kl")["trials"]]
    assert kls == sorted(kls)
    for descending in (True, False):
        page = listed(client, place, sort="reward", descending=descending)
        assert page["trials"][-1]["episode"] == 3, "what has none comes last"


def test_sorted_by_the_metric_that_there_is(
    client: TestClient, service: Service, place: str
) -> None:
    top1 = [trial["episode"] for trial in listed(client, place, sort="metric")["trials"]]
    assert top1 == list(range(COUNT, 0, -1))
    job = put_search(service)
    metrics = [{"name": "f1", "value": value} for value in (0.2, 0.1, 0.3)]
    trials = [made_up_trial(n, metric=metric) for n, metric in enumerate(metrics, 1)]
    put_trials(service.database, job.id, trials)
    found = listed(client, f"/v1/searches/{job.id}", sort="metric", descending=True)["trials"]
    assert [trial["metric"] for trial in found] == [metrics[2], metrics[0], metrics[1]]


def test_filters(client: TestClient, place: str) -> None:
    assert listed(client, place, origin="walk")["total"] == 1
    assert listed(client, place, max_kl=0.1)["total"] == COUNT - 4
    assert listed(client, place, max_cost=1003)["total"] == 3


def test_policies_come_where_they_are_asked_for(client: TestClient, place: str) -> None:
    assert listed(client, place)["trials"][0]["policy"] is None
    assert listed(client, place, policies=True)["trials"][0]["policy"] == made_up_trial(1)["policy"]
    assert client.get(f"{place}/trials/2").json()["policy"] == made_up_trial(2)["policy"]
    assert client.get(f"{place}/trials/{COUNT + 1}").status_code == 404


def test_a_search_shows_how_far_it_is(client: TestClient, place: str) -> None:
    found = client.get(place).json()
    assert (found["trials"], found["best_kl"]) == (COUNT, 0.5 / COUNT)


NUMBERS = st.integers(0, 8).map(float)


@settings(deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=20))
def test_the_front_is_what_nothing_beats(places: list[tuple[float, float]]) -> None:
    front = front_of(places, lambda place: place)
    wanted = {
        (c, k)
        for c, k in places
        if not any((a, b) != (c, k) and a <= c and b <= k for a, b in places)
    }
    assert sorted(wanted) == front
