"""Databases with the service's tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from api.store import open_database
from haq.store.database import Database


@contextmanager
def database_at(url: str) -> Iterator[Database]:
    """As another process would open it."""
    found = open_database(url)
    try:
        yield found
    finally:
        found.close()
