from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

import pytest

from api.settings import Settings
from api.workers.crew import Crew
from tests.device_agent.process_table import is_running, wait_for

IDLE = (sys.executable, "-c", "import os; os.read(0, 1)")
DEAF = (
    sys.executable,
    "-c",
    "import os, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); os.read(0, 1)",
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.workers.crew.CHECK_S", 0.02)
    monkeypatch.setattr("api.workers.crew.END_S", 0.2)
    monkeypatch.setattr("api.workers.crew.WORKER", IDLE)


@pytest.fixture
def crew(settings: Settings) -> Iterator[Crew]:
    found = Crew(settings.model_copy(update={"workers": 2}))
    found.start()
    yield found
    found.close()


def test_as_many_as_were_asked_for(crew: Crew) -> None:
    assert len(set(crew.pids())) == 2
    assert all(map(is_running, crew.pids()))


def test_a_killed_one_has_a_successor(crew: Crew) -> None:
    first, second = crew.pids()
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: crew.pids()[0] != first)
    assert crew.pids()[1] == second
    assert all(map(is_running, crew.pids()))


def test_at_the_end_none_is_left(crew: Crew) -> None:
    pids = crew.pids()
    crew.close()
    assert not any(map(is_running, pids))
    crew.close()


def test_one_that_does_not_hear_is_killed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.workers.crew.WORKER", DEAF)
    crew = Crew(settings.model_copy(update={"workers": 1}))
    crew.start()
    (pid,) = crew.pids()
    crew.close()
    assert not is_running(pid)


def test_one_that_cannot_be_started_is_tried_again(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system may have no process to spare for a moment."""
    first = crew.pids()[0]
    monkeypatch.setattr("api.workers.crew.WORKER", ("/nowhere/python",))
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: not is_running(first))
    monkeypatch.setattr("api.workers.crew.WORKER", IDLE)
    wait_for(lambda: crew.pids()[0] != first)
