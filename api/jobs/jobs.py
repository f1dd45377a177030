"""All searches of the service, in the database that every process shares.

A change reads the row, and writes it only where nobody has changed it since; else it begins again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from sqlalchemy import func, or_, select, update

from api.errors import UnknownError
from api.jobs.job import ENDED, Job, State, Wanted, asked_to, entered, stopped, taken
from api.jobs.rows import from_row, to_row
from api.store.schema import JOBS
from haq.store.database import Database

Clock = Callable[[], float]
AT = JOBS.columns


class LeaseLostError(Exception):
    """Another worker has the search by now, or it was taken away."""


class Jobs:
    """Makes, finds and changes searches."""

    def __init__(self, database: Database, clock: Clock = time.time) -> None:
        self._database, self._clock = database, clock

    def add(self, spec: Mapping[str, Any], created_by: str, job_id: str | None = None) -> Job:
        """A new search, in the queue; one of the same id stays as it is."""
        now = self._clock()
        job = entered(Job(job_id or uuid4().hex, spec, created_by, now), "queued", now)
        self._database.write((self._database.insertion(JOBS), [to_row(job)]))
        return self.get(job.id)

    def get(self, job_id: str) -> Job:
        """Raises UnknownError."""
        rows = self._database.read(select(JOBS).where(AT.id == job_id))
        if not rows:
            raise UnknownError(f"there is no search {job_id}")
        return from_row(rows[0])

    def page(
        self, limit: int = 50, before: tuple[float, str] | None = None, state: str | None = None
    ) -> Sequence[Job]:
        """The newest first; `before` is the (created_at, id) of the last one seen."""
        wanted = select(JOBS).order_by(AT.created_at.desc(), AT.id.desc()).limit(limit)
        if state is not None:
            wanted = wanted.where(AT.state == state)
        if before is not None:
            at, job_id = before
            earlier = or_(AT.created_at < at, (AT.created_at == at) & (AT.id < job_id))
            wanted = wanted.where(earlier)
        return [from_row(row) for row in self._database.read(wanted)]

    def unfinished_of(self, key_name: str, beside: str | None = None) -> int:
        """How many searches of a key have not ended, one of them left out."""
        found = select(func.count(AT.id)).where(
            AT.created_by == key_name, AT.state.not_in(ENDED), AT.id != (beside or "")
        )
        (row,) = self._database.read(found)
        return int(row[0])

    def by_state(self) -> dict[str, int]:
        """How many searches are in each state that any is in."""
        found = select(AT.state, func.count(AT.id).label("searches")).group_by(AT.state)
        return {row.state: row.searches for row in self._database.read(found)}

    def ask_to(self, job_id: str, wanted: Wanted) -> Job:
        """Pause, end, or go on. Raises UnknownError, ConflictError."""
        return self._change(job_id, lambda job: asked_to(job, wanted, self._clock()))

    def claim(self, owner: str, lease_s: float) -> Job | None:
        """The search that has waited longest, for a worker; None where none waits."""
        while True:
            now = self._clock()
            free = or_(AT.state == "queued", (AT.state == "running") & (AT.lease_until < now))
            wanted = select(JOBS).where(free).order_by(AT.created_at, AT.id).limit(1)
            rows = self._database.read(wanted)
            if not rows:
                return None
            before = from_row(rows[0])
            after = taken(before, owner, now + lease_s, now)
            if self._swap(before, after) and after.state == "running":
                return replace(after, version=before.version + 1)

    def beat(self, job: Job, progress: Mapping[str, Any], lease_s: float) -> Wanted:
        """Keep a search that a worker has, and tell what is wanted of it by now.

        Raises LeaseLostError.
        """
        rows = self._database.change(
            update(JOBS)
            .where(AT.id == job.id, AT.token == job.token, AT.state == "running")
            .values(lease_until=self._clock() + lease_s, progress=progress)
            .returning(AT.wanted)
        )
        if not rows:
            raise LeaseLostError
        wanted: Wanted = rows[0].wanted
        return wanted

    def stop(self, job: Job, note: str = "") -> Job:
        """A worker has stopped it: it waits, is paused or has ended, as is wanted.

        Raises LeaseLostError.
        """
        return self._finish(job, lambda found: stopped(found, self._clock(), note))

    def end(self, job: Job, error: str | None) -> Job:
        """A worker has brought it to its end, good where there is no error.

        Raises LeaseLostError.
        """
        state: State = "done" if error is None else "failed"

        def change(found: Job) -> Job:
            return entered(replace(found, error=error), state, self._clock(), error or "")

        return self._finish(job, change)

    def _finish(self, job: Job, change: Callable[[Job], Job]) -> Job:
        def fenced(found: Job) -> Job:
            if (found.token, found.state) != (job.token, "running"):
                raise LeaseLostError
            return change(found)

        return self._change(job.id, fenced)

    def _change(self, job_id: str, change: Callable[[Job], Job]) -> Job:
        while True:
            before = self.get(job_id)
            after = change(before)
            if after == before or self._swap(before, after):
                return after

    def _swap(self, before: Job, after: Job) -> bool:
        """Write a change unless somebody else has changed the row meanwhile."""
        same_worker = (after.state, after.token) == (before.state, before.token)
        # What its worker says all the while is no other version, and must not be overwritten.
        kept = {"progress", "lease_until"} if same_worker else {"progress"}
        values = to_row(replace(after, version=before.version + 1))
        rows = self._database.change(
            update(JOBS)
            .where(AT.id == before.id, AT.version == before.version)
            .values(**{name: value for name, value in values.items() if name not in kept})
            .returning(AT.id)
        )
        return bool(rows)
