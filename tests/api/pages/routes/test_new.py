from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from api.access.roles import Role
from api.pages.asked import to_form
from api.schema import SearchSpec
from api.service import Service
from tests.api.conftest import Headers
from tests.api.pages.made_up import Page, put_run


def filled(**typed: str) -> dict[str, list[str]]:
    """The form as by default, with other values for some fields."""
    form = to_form(SearchSpec.model_validate({}))
    return {**form.values, **{name: [value] for name, value in typed.items()}}


def test_every_control_has_a_label_and_a_help(client: TestClient) -> None:
    page = Page(client.get("/new").text)
    labels = {found["for"] for found in page.all("label") if "for" in found}
    ids = {found["id"] for _, found in page.elements if "id" in found}
    controls = page.all("select") + [f for f in page.all("input") if f.get("type") != "hidden"]
    assert controls
    for control in controls:
        assert control["id"] in labels
        assert set(str(control["aria-describedby"]).split()) <= ids


def test_a_search_begins_and_its_page_is_shown(service: Service, client: TestClient) -> None:
    answer = client.post("/new", data=filled(budget_latency="0.9x", episodes="7"))
    (job,) = service.jobs.page()
    assert answer.url.path == f"/runs/{job.id}"
    assert job.spec["spec"]["budgets"] == ["latency=0.9x"]
    assert job.spec["spec"]["episodes"] == 7


def test_a_form_sent_twice_begins_one_search(service: Service, client: TestClient) -> None:
    once = Page(client.get("/new").text).all("input", name="once")[0]["value"]
    for _ in range(2):
        client.post("/new", data=filled(once=str(once)))
    assert len(service.jobs.page()) == 1


def test_a_fault_stands_by_its_field_and_nothing_typed_is_lost(
    service: Service, client: TestClient
) -> None:
    answer = client.post("/new", data=filled(budget_size="much", episodes="7", agent="random"))
    page = Page(answer.text)
    assert answer.status_code == 422
    (size,) = page.all("input", name="budget_size")
    assert (size["value"], size["aria-invalid"]) == ("much", "true")
    assert "budget_size-problem" in str(size["aria-describedby"])
    assert page.all("input", name="episodes")[0]["value"] == "7"
    assert [o["value"] for o in page.all("option") if "selected" in o and o["value"] == "random"]
    assert "budget 'size=much' is not understood" in page.text
    assert not service.jobs.page()


def test_what_does_not_fit_together_is_told_on_top(client: TestClient) -> None:
    answer = client.post("/new", data=filled(bits="2-8", budget_latency="0.9x"))
    page = Page(answer.text)
    assert answer.status_code == 422
    assert page.all("p", role="alert")
    assert "other bits have no latency" in page.text
    assert page.all("input", name="bits")[0]["value"] == "2-8"


def test_a_budget_out_of_reach_is_refused(service: Service, client: TestClient) -> None:
    answer = client.post("/new", data=filled(budget_size="0.1x"))
    assert answer.status_code == 422
    assert "the least reachable is" in Page(answer.text).text
    assert not service.jobs.page()


def test_a_key_with_enough_searches_is_told(service: Service, client: TestClient) -> None:
    secret = service.keys.add("anna", "run", max_searches=1)
    headers = {"Authorization": f"Bearer {secret}"}
    put_run(service, created_by="anna")
    answer = client.post("/new", data=filled(), headers=headers)
    assert answer.status_code == 429
    assert "1 unfinished searches" in Page(answer.text).text


def test_a_clone_begins_with_what_was_asked(service: Service, client: TestClient) -> None:
    job = put_run(service, episodes=9, budgets=("latency=0.8x",))
    page = Page(client.get(f"/new?like={job.id}").text)
    assert page.all("input", name="episodes")[0]["value"] == "9"
    assert page.all("input", name="budget_latency")[0]["value"] == "0.8x"


@pytest.mark.parametrize(("role", "status"), [("read", 403), ("run", 303)])
def test_who_may_begin(
    client: TestClient, keys: dict[Role, Headers], role: Role, status: int
) -> None:
    answer = client.post("/new", data=filled(), headers=keys[role], follow_redirects=False)
    assert answer.status_code == status
    button = Page(client.get("/new", headers=keys[role]).text).all("button")[-1]
    assert ("disabled" in button) == (role == "read")
