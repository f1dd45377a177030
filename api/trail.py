"""The audit: a line for every change, with the key that made it."""

from __future__ import annotations

import time

from sqlalchemy import select

from api.schema import AuditLine
from api.store.schema import AUDIT
from haq.store.database import Database

LONGEST = 200


class Trail:
    """Writes and reads it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, key_name: str, action: str, target: str, status: int) -> None:
        """Raises StorageError."""
        row = {"at": time.time(), "key_name": key_name, "action": action}
        line = {**row, "target": target[:LONGEST], "status": status}
        self._database.write((AUDIT.insert(), [line]))

    def newest(self, limit: int) -> list[AuditLine]:
        """The newest first."""
        wanted = select(AUDIT).order_by(AUDIT.columns.number.desc()).limit(limit)
        rows = self._database.read(wanted)
        return [AuditLine.model_validate(dict(row._mapping)) for row in rows]
