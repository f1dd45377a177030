"""How noisy boards were, by what was measured there for searches of the service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from statistics import median

from api.jobs import Job, Jobs
from api.schema import Board, Noise
from haq.store.database import Database
from haq.store.measurements import latencies_of_runs

SEARCHES = 200
"""The newest ones are looked at."""
MOST = 200
"""Batches that are told of a board."""


def add_noise(boards: Sequence[Board], jobs: Jobs, database: Database) -> list[Board]:
    """The boards, each with the noise of the batches that it measured. Raises StorageError.

    Of searches on several boards it is not known which one measured what.
    """
    searches = searches_of(jobs.page(SEARCHES))
    return [
        board.model_copy(update={"noise": noise_in(database, searches.get(board.name, []))})
        for board in boards
    ]


def searches_of(jobs: Sequence[Job]) -> Mapping[str, list[str]]:
    """Ids of the searches that had one board, by its name."""
    found: dict[str, list[str]] = {}
    for job in jobs:
        if len(job.spec["boards"]) == 1:
            found.setdefault(job.spec["boards"][0], []).append(job.id)
    return found


def noise_in(database: Database, run_ids: Sequence[str]) -> list[Noise]:
    """The median noise of the policies of each batch, in the order of time."""
    latencies = latencies_of_runs(database, run_ids)
    batches = groupby(latencies, key=lambda latency: latency["measured_at"])
    found = [
        Noise(measured_at=at, noise=median(latency["noise"] for latency in batch))
        for at, batch in batches
    ]
    return found[:MOST][::-1]
