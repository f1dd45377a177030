"""Searches and trials that were never run, put where the service finds them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from api.asking import resolve, to_stored
from api.jobs import Job
from api.schema import SearchSpec
from api.service import Service
from haq.store.database import Database
from haq.store.schema import RUNS
from haq.store.trials import Trials
from quant.policy import uniform

LAYERS = ("features.0", "features.1", "classifier")


def put_search(service: Service, created_by: str = "operator", **asked: Any) -> Job:
    """A search in the queue; `asked` are fields of `SearchSpec`."""
    spec = SearchSpec(**asked)
    return service.jobs.add(to_stored(spec, resolve(service, spec)), created_by)


def made_up_trial(number: int, **changes: Any) -> dict[str, Any]:
    """The record of a trial, as a search writes it."""
    return {
        "episode": number,
        "origin": "walk" if number == 1 else "ddpg",
        "top1": 0.9 - number / 1000,
        "kl": 0.5 / number,
        "reward": -0.5 / number,
        "cost": 1000.0 + number,
        "latency_ratio": None,
        "latency_ms": None,
        "policy": uniform(LAYERS, *[8 if number % 2 else 16] * 2).to_json(),
        **changes,
    }


def put_trials(database: Database, job_id: str, records: Iterable[dict[str, Any]]) -> None:
    """Trials of the run of a search, behind those that it has; the run is made where need be."""
    database.write((database.insertion(RUNS), [{"id": job_id, "settings": {}}]))
    trials = Trials(database, job_id)
    for record in records:
        trials.put(len(trials.records) + 1, record)
