"""The database of the service."""

from __future__ import annotations

from pathlib import Path

from haq.store.database import Database
from haq.store.migrate import Migrations

SERVICE = Migrations(Path(__file__).with_name("migrations"), "alembic_version_service")


def open_database(url: str) -> Database:
    """The store of searches with the service's tables. Raises as `Database`."""
    return Database(url, SERVICE)
