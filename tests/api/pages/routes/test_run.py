from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from api.access.roles import Role
from api.service import Service
from tests.api.conftest import Headers
from tests.api.pages.made_up import Page, put_run, put_summary, trial


def buttons(html: str) -> set[str]:
    page = Page(html)
    return {str(form.get("action", "")).rsplit("/")[-1] for form in page.all("form")} - {""}


def test_a_search_without_trials(service: Service, client: TestClient) -> None:
    answer = client.get(f"/runs/{put_run(service).id}")
    assert answer.status_code == 200
    assert "No trial yet" in answer.text


def test_charts_bits_and_trials(service: Service, client: TestClient) -> None:
    job = put_run(service, [trial(1), trial(2), trial(3)])
    page = Page(client.get(f"/runs/{job.id}").text)
    assert len(page.all("svg")) == 4
    assert "Bits of every layer of trial 3, the best so far" in page.text
    assert len(page.all("input", name="policy")) == 3


def test_the_page_follows_from_where_it_stands(service: Service, client: TestClient) -> None:
    job = put_run(service, [trial(1), trial(2)])
    (main,) = Page(client.get(f"/runs/{job.id}").text).all("main")
    assert main["data-events"] == f"/v1/searches/{job.id}/events?since=1-2"
    service.jobs.ask_to(job.id, "cancel")
    (main,) = Page(client.get(f"/runs/{job.id}").text).all("main")
    assert "data-events" not in main


def test_trials_are_filtered_and_sorted(service: Service, client: TestClient) -> None:
    job = put_run(service, [trial(1), trial(2), trial(3)])
    text = client.get(f"/runs/{job.id}?origin=ddpg&max_kl=0.2&sort=episode&descending=true").text
    values = [found["value"] for found in Page(text).all("input", name="policy")]
    assert values == [f"{job.id}:3"]
    assert 'aria-sort="descending"' in text


def test_what_is_left_empty_is_no_filter(service: Service, client: TestClient) -> None:
    job = put_run(service, [trial(1)])
    assert client.get(f"/runs/{job.id}?origin=&max_kl=&y=top1").status_code == 200


def test_a_result_and_its_files(service: Service, client: TestClient) -> None:
    job = put_run(service, [trial(1)], budgets=("latency=0.9x",))
    put_summary(service, job)
    page = Page(client.get(f"/runs/{job.id}").text)
    address = f"/v1/searches/{job.id}/artifacts/summary.json"
    assert page.all("a", href=address)
    assert client.get(address).status_code == 200
    assert "Bits of every layer of the policy found" in page.text
    assert "uniform 8" in page.text


@pytest.mark.parametrize(
    ("role", "expected"),
    [("read", set()), ("run", {"pause", "cancel"}), ("admin", {"pause", "cancel"})],
)
def test_buttons_are_for_who_may_press_them(
    service: Service, client: TestClient, keys: dict[Role, Headers], role: Role, expected: set[str]
) -> None:
    job = put_run(service)
    text = client.get(f"/runs/{job.id}", headers=keys[role]).text
    assert buttons(text) & {"pause", "resume", "cancel"} == expected
    assert bool(Page(text).all("input", name="like")) == (role != "read")


def test_pause_resume_and_cancel(service: Service, client: TestClient) -> None:
    address = f"/runs/{put_run(service).id}"
    text = client.post(f"{address}/pause").text
    assert "paused" in Page(text).text
    assert buttons(text) & {"pause", "resume", "cancel"} == {"resume", "cancel"}
    assert "pause" in buttons(client.post(f"{address}/resume").text)
    assert not buttons(client.post(f"{address}/cancel").text) & {"pause", "resume", "cancel"}
    assert client.post(f"{address}/pause").status_code == 409


def test_a_key_that_looks_changes_nothing(
    service: Service, client: TestClient, keys: dict[Role, Headers]
) -> None:
    job = put_run(service)
    assert client.post(f"/runs/{job.id}/cancel", headers=keys["read"]).status_code == 403
    assert service.jobs.get(job.id).state == "queued"


def test_who_changed_it_is_in_the_audit(service: Service, client: TestClient) -> None:
    job = put_run(service)
    client.post(f"/runs/{job.id}/pause")
    (line,) = service.trail.newest(1)
    assert (line.key_name, line.target) == ("operator", f"/runs/{job.id}/pause")
