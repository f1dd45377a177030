"""Stores of the tests."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from haq.store.database import Database
from haq.store.entries import Entries
from haq.store.schema import EVALUATIONS


def entries_at(path: Path, content: str = "probe") -> Entries:
    """Evaluations in a file, as a new process would open it."""
    return Entries(Database(f"sqlite:///{path}"), EVALUATIONS, content)


def select(path: Path, statement: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def known_keys(path: Path, table: str = "evaluations") -> list[tuple[str, str]]:
    """Kinds and keys, in the order in which they came."""
    return [(k, key) for k, key in select(path, f"SELECT kind, key FROM {table} ORDER BY rowid")]


def found(path: Path) -> dict[str, list[Any]]:
    """All that a store knows, by table and in the order in which it came, without names of runs."""
    columns = {
        "evaluations": "content, kind, key, data",
        "measurements": "kind, key, data",
        "trials": "number, data",
    }
    return {
        table: [
            (*row[:-1], json.loads(row[-1]))
            for row in select(path, f"SELECT {names} FROM {table} ORDER BY rowid")
        ]
        for table, names in columns.items()
    }
