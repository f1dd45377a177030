from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from api.pages.routes import runs
from api.service import Service
from tests.api.pages.made_up import Page, put_run, trial


def test_a_row_for_every_search(service: Service, client: TestClient) -> None:
    job = put_run(service, [trial(1, kl=0.5), trial(2, kl=0.25)], budgets=("latency=0.9x",))
    page = Page(client.get("/").text)
    assert page.all("a", href=f"/runs/{job.id}")
    for words in ("queued", "latency=0.9x", "0.25", "2 of 120", "operator"):
        assert words in page.text


def test_a_state_is_chosen(service: Service, client: TestClient) -> None:
    waits, ended = put_run(service), put_run(service)
    service.jobs.ask_to(ended.id, "cancel")
    text = client.get("/?state=cancelled").text
    assert ended.id in text
    assert waits.id not in text
    assert Page(client.get("/?state=").text).all("a", href=f"/runs/{waits.id}")


def test_older_ones_are_on_the_next_page(
    service: Service, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "ON_A_PAGE", 2)
    first, *_ = [put_run(service) for _ in range(3)]
    text = client.get("/?state=queued").text
    assert first.id not in text
    (older,) = [a["href"] for a in Page(text).all("a") if "before=" in (a["href"] or "")]
    assert "state=queued" in str(older)
    assert first.id in client.get(f"/{older}").text


def test_the_page_is_kept_up_to_date_while_anything_may_happen(
    service: Service, client: TestClient
) -> None:
    job = put_run(service)
    assert Page(client.get("/").text).all("main", **{"data-every": "2"})
    service.jobs.ask_to(job.id, "cancel")
    assert not Page(client.get("/").text).all("main", **{"data-every": "2"})


def test_before_the_first_search(client: TestClient) -> None:
    assert "No run yet" in Page(client.get("/").text).text
