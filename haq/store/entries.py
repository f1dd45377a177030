"""What is known by kind and key, of one owner: a run, or a content that many runs share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, select

from haq.store.database import Database


class Entries:
    """JSON data by kind and key; the first that was put stays."""

    def __init__(self, database: Database, table: Table, owner: str) -> None:
        """`table` has its owner in its first column."""
        self._database, self._table, self._owner = database, table, owner
        self._column = next(iter(table.columns))

    def get(self, kind: str, keys: Sequence[str]) -> dict[str, Any]:
        """The data of those keys that are known."""
        columns = self._table.columns
        rows = self._database.read(
            select(columns.key, columns.data).where(
                self._column == self._owner, columns.kind == kind, columns.key.in_(keys)
            )
        )
        return {row.key: row.data for row in rows}

    def put(self, kind: str, data: Mapping[str, Any]) -> None:
        """Keep data by key, all or none. Raises StorageError."""
        owner = {self._column.name: self._owner}
        rows = [{**owner, "kind": kind, "key": key, "data": one} for key, one in data.items()]
        if rows:
            # Two runs may come to know the same at the same time.
            self._database.write((self._database.insertion(self._table), rows))
