from __future__ import annotations

from sqlalchemy import select

from api.jobs.job import Job, entered, taken
from api.jobs.rows import from_row, to_row
from api.store.schema import JOBS
from tests.api.databases import database_at

JOB = taken(Job("1" * 32, {"spec": {"bits": "2-8"}}, "anna", 1.5), "worker", 20.25, 5.0)


def test_a_job_comes_back(store_url: str) -> None:
    with database_at(store_url) as database:
        for job in (JOB, entered(Job("2" * 32, {}, "ä", 2.0), "failed", 3.0, "why")):
            database.write((JOBS.insert(), [to_row(job)]))
            (row,) = database.read(select(JOBS).where(JOBS.columns.id == job.id))
            assert from_row(row) == job
