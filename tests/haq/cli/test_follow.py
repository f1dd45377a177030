from __future__ import annotations

from typing import Any

from haq.cli._follow import Relay
from haq.client import Event


class Noted:
    """Progress as a list."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def start(self, title: str, total: int) -> None:
        self.told.append(("start", title, total))

    def advance(self, note: str = "") -> None:
        self.told.append(("advance", note))

    def note(self, text: str) -> None:
        self.told.append(("note", text))


def told(*events: Event) -> list[tuple[object, ...]]:
    noted = Noted()
    relay = Relay(noted)
    for event in events:
        relay.tell(event)
    return noted.told


def progress(stage: str, done: int, total: int, note: str = "") -> Event:
    return Event("progress", {"stage": stage, "done": done, "total": total, "note": note})


def state(name: str, note: str = "") -> Event:
    data: dict[str, Any] = {"state": name, "note": note, "at": 0.0}
    return Event("state", data, "1-0")


def test_steps_that_were_done_at_once_are_as_many_steps() -> None:
    assert told(progress("search", 0, 9), progress("search", 3, 9, "kl 1"), state("done")) == [
        ("start", "search", 9),
        *[("advance", "kl 1")] * 3,
    ]


def test_a_stage_that_is_joined_in_its_midst() -> None:
    assert told(progress("search", 2, 9), progress("report", 1, 2)) == [
        *(("start", "search", 9), ("advance", ""), ("advance", "")),
        *(("start", "report", 2), ("advance", "")),
    ]


def test_a_stage_that_begins_anew() -> None:
    anew = told(progress("search", 2, 9), progress("search", 1, 9))
    assert anew[-2:] == [("start", "search", 9), ("advance", "")]


def test_what_is_said_between_two_steps_is_said_once() -> None:
    waits = progress("search", 1, 9, "the board is lost")
    assert told(progress("search", 1, 9, "kl 1"), waits, waits)[2:] == [
        ("note", "the board is lost")
    ]


def test_nothing_is_a_stage_yet() -> None:
    assert told(Event("progress", {}), Event("progress", {"note": "waiting"})) == [
        ("note", "waiting")
    ]


def test_states_are_lines_until_it_ends() -> None:
    begun = state("running", "begun by a:1")
    assert told(state("queued"), begun, state("failed", "no board"), Event("end", {})) == [
        ("note", "queued"),
        ("note", "running: begun by a:1"),
    ]
