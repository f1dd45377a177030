"""Searches as they wait, run and end."""

from api.jobs.job import Job
from api.jobs.jobs import Jobs

__all__ = ["Job", "Jobs"]
