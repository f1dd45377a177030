from __future__ import annotations

import pytest

from api import known
from api.known import KnownTrials
from api.service import Service
from haq.store import Store
from haq.store.database import Database
from haq.store.trials import read_trials
from tests.api.pages.made_up import put_run, trial
from tests.api.runs import put_trials


def test_trials_are_known_without_their_policies(service: Service) -> None:
    job = put_run(service, [trial(1), trial(2)])
    found = KnownTrials(service.database).of(job.id)
    assert [record["episode"] for record in found] == [1, 2]
    assert not any("policy" in record for record in found)


def test_only_what_is_new_is_read(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    job, kept = put_run(service, [trial(1)]), KnownTrials(service.database)
    kept.of(job.id)
    put_trials(service.database, job.id, [trial(2)])
    asked: list[int] = []

    def read(database: Database, run_id: str, after: int) -> list[known.Record]:
        asked.append(after)
        return read_trials(database, run_id, after)

    monkeypatch.setattr(known, "read_trials", read)
    assert len(kept.of(job.id)) == 2
    assert asked[0] == 1


def test_a_search_that_was_forgotten_begins_anew(service: Service) -> None:
    job, kept = put_run(service, [trial(1), trial(2)]), KnownTrials(service.database)
    kept.of(job.id)
    Store(service.database).forget(job.id)
    assert kept.of(job.id) == []


def test_no_more_searches_are_kept_than_so_many(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "MOST", 2)
    kept = KnownTrials(service.database)
    for _ in range(3):
        kept.of(put_run(service, [trial(1)]).id)
    assert len(kept._known) == 2
