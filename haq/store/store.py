"""Everything durable of searches, in one database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import delete, select

from haq.store.checkpoints import Checkpoints
from haq.store.database import Database
from haq.store.entries import Entries
from haq.store.schema import EVALUATIONS, MEASUREMENTS, RUNS
from haq.store.trials import Trials


class Store:
    """Runs with their trials, measurements and checkpoints; evaluations that all runs share."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, run_id: str, settings: Mapping[str, Any]) -> None:
        """Note a run, unless it is known. Raises StorageError."""
        if not self.holds(run_id):
            row = {"id": run_id, "settings": settings}
            self._database.write((RUNS.insert(), [row]))

    def holds(self, run_id: str) -> bool:
        """Whether it knows a run of this name. Raises StorageError."""
        known = select(RUNS.columns.id).where(RUNS.columns.id == run_id)
        return bool(self._database.read(known))

    def forget(self, run_id: str) -> None:
        """Remove a run with all that is its own. Raises StorageError."""
        self._database.write((delete(RUNS).where(RUNS.columns.id == run_id), []))

    def evaluations(self, content: str) -> Entries:
        """Scores of policies; the digest `content` stands for all else that decides them."""
        return Entries(self._database, EVALUATIONS, content)

    def measurements(self, run_id: str) -> Entries:
        """What boards measured for a run that has begun."""
        return Entries(self._database, MEASUREMENTS, run_id)

    def trials(self, run_id: str) -> Trials:
        """The trials of a run that has begun."""
        return Trials(self._database, run_id)

    def checkpoints(self, run_id: str) -> Checkpoints:
        """The checkpoints of a run that has begun."""
        return Checkpoints(self._database, run_id)


@contextmanager
def open_store(url: str) -> Iterator[Store]:
    """The store for the time of the block, made where there is none; as `Database` raises."""
    database = Database(url)
    try:
        yield Store(database)
    finally:
        database.close()
