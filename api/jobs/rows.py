"""Jobs from and to rows of the database."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy import Row

from api.jobs.job import Job

NAMES = tuple(field.name for field in fields(Job))


def from_row(row: Row[Any]) -> Job:
    """A job."""
    found = {name: getattr(row, name) for name in NAMES}
    return Job(**{**found, "history": tuple(found["history"])})


def to_row(job: Job) -> dict[str, Any]:
    """Its columns."""
    return {name: getattr(job, name) for name in NAMES} | {"history": list(job.history)}
