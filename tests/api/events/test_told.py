from __future__ import annotations

from api.events.cursor import Cursor
from api.events.told import Batch, Place, Told


def test_an_event_with_a_place_has_an_id() -> None:
    told = Told("trial", '{"episode": 3}', Cursor(1, 3))
    assert told.text == 'id: 1-3\nevent: trial\ndata: {"episode": 3}\n\n'


def test_an_event_without_a_place_leaves_the_last_id() -> None:
    assert Told("progress", "{}", None).text == "event: progress\ndata: {}\n\n"


def test_a_batch_is_all_of_its_events() -> None:
    events = (Told("state", "{}", Cursor(1, 0)), Told("progress", "{}", None))
    assert Batch(events, Place(Cursor(1, 0))).text == events[0].text + events[1].text


def test_nothing_is_a_comment() -> None:
    assert Batch((), Place(Cursor())).text == ":\n\n"
