from __future__ import annotations

from typing import Any

import pytest
import stamina

from haq.client import (
    Client,
    SearchSpec,
    ServerInvalidError,
    ServerLostError,
    ServerUnknownError,
)
from haq.client import searches as module
from tests.haq.client.losses import Losing
from tests.haq.client.served import Served


def test_a_search_is_begun_as_it_was_asked_for(client: Client) -> None:
    made = client.begin(SearchSpec(episodes=7, seed=3), agent="uniform")
    assert made.spec == SearchSpec(episodes=7, seed=3, agent="uniform")
    assert (made.state, made.has_ended, made.trials) == ("queued", False, 0)
    assert client.search(made.id) == made
    assert [entered.state for entered in made.history] == ["queued"]


def test_a_lost_answer_begins_no_second_search(served: Served, client: Client) -> None:
    with (
        stamina.set_testing(True, attempts=2),
        served.client(transport=Losing()) as unlucky,
    ):
        made = unlucky.begin(episodes=2)
        paused = unlucky.pause(made.id)
    assert [search.id for search in client.searches()] == [made.id]
    assert paused.state == "paused"


def test_who_asks_twice_on_purpose_gets_two(client: Client) -> None:
    assert client.begin(episodes=2).id != client.begin(episodes=2).id


def test_nothing_is_tried_for_ever(served: Served) -> None:
    unlucky = Losing(99)
    with (
        stamina.set_testing(True, attempts=3),
        served.client(transport=unlucky) as client,
        pytest.raises(ServerLostError, match=r"lost: lost on the way$"),
    ):
        client.begin(episodes=2)
    assert len(unlucky.requests) == 3
    assert len({request.headers["idempotency-key"] for request in unlucky.requests}) == 1


def test_all_pages_in_order(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    made = [client.begin(seed=seed).id for seed in range(5)]
    client.cancel(made[3])
    assert [search.id for search in client.searches()] == made[::-1]
    assert [search.id for search in client.searches("cancelled")] == [made[3]]
    assert list(client.searches("done")) == []


def test_pause_go_on_cancel(client: Client) -> None:
    made = client.begin()
    assert client.pause(made.id).state == "paused"
    assert client.resume(made.id).state == "queued"
    ended = client.cancel(made.id)
    assert (ended.state, ended.has_ended) == ("cancelled", True)
    with pytest.raises(ServerInvalidError, match="answers 409: the search is cancelled"):
        client.resume(made.id)


def test_a_clone_has_the_changes_and_the_rest(client: Client) -> None:
    made = client.begin(episodes=9, start="walk")
    clone = client.clone(made.id, seed=5, start=None)
    assert clone.id != made.id
    assert clone.spec == SearchSpec(episodes=9, seed=5)


def test_a_search_that_is_not_there(client: Client) -> None:
    with pytest.raises(ServerUnknownError, match="answers 404: there is no search 0000"):
        client.search("0" * 32)


@pytest.mark.parametrize("fields", [{"episodes": 0}, {"bits": "seven"}, {"model": "vgg"}])
def test_what_makes_no_sense_is_one_line(client: Client, fields: dict[str, Any]) -> None:
    with pytest.raises(ServerInvalidError) as raised:
        client.begin(**fields)
    assert "\n" not in str(raised.value)
    assert list(client.searches()) == []


def test_a_field_that_no_search_has(client: Client) -> None:
    with pytest.raises(TypeError, match="epochs"):
        client.begin(epochs=3)  # type: ignore[call-arg]


def test_no_name_leads_elsewhere(client: Client) -> None:
    client.begin()
    with pytest.raises(ServerUnknownError):
        client.search("../searches?limit=1#")
