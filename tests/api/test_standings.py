from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.standings import Standing, Standings
from haq.store import Store
from haq.store.database import Database
from tests.api.databases import database_at
from tests.api.runs import made_up_trial, put_trials

ONE, OTHER = "1" * 32, "2" * 32


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    with database_at(store_url) as found:
        yield found


def put(database: Database, job_id: str, *kls: float) -> None:
    put_trials(database, job_id, (made_up_trial(1, kl=kl) for kl in kls))


def test_searches_without_trials_have_no_best(database: Database) -> None:
    assert Standings(database).of([ONE, OTHER]) == [Standing(), Standing()]
    assert Standings(database).of([]) == []


def test_each_search_has_its_own(database: Database) -> None:
    put(database, ONE, 0.5, 0.2, 0.3)
    put(database, OTHER, 0.1)
    assert Standings(database).of([OTHER, ONE]) == [Standing(1, 0.1), Standing(3, 0.2)]


def test_they_grow_with_the_trials(database: Database) -> None:
    standings = Standings(database)
    for kl, expected in ((0.5, 0.5), (0.7, 0.5), (0.25, 0.25), (0.3, 0.25)):
        put(database, ONE, kl)
        (found,) = standings.of([ONE])
        assert found.best_kl == expected
    assert standings.of([ONE]) == Standings(database).of([ONE]) == [Standing(4, 0.25)]


def test_no_trial_is_read_twice(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    put(database, ONE, 0.5, 0.2)
    standings, asked = Standings(database), []

    def least(_: Database, job_id: str, after: int) -> float:
        asked.append(after)
        return 0.2

    monkeypatch.setattr("api.standings.least_kl", least)
    standings.of([ONE])
    standings.of([ONE])
    put(database, ONE, 0.1)
    standings.of([ONE])
    assert asked == [0, 2]


def test_a_run_that_was_forgotten_begins_anew(database: Database) -> None:
    put(database, ONE, 0.1, 0.2)
    standings = Standings(database)
    standings.of([ONE])
    Store(database).forget(ONE)
    assert standings.of([ONE]) == [Standing()]
    put(database, ONE, 0.4)
    assert standings.of([ONE]) == [Standing(1, 0.4)]
