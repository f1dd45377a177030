"""A database on SQLite or PostgreSQL: what is written is on disk when `write` returns."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import stamina
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Executable,
    Row,
    Table,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from haq.store.migrate import OURS, Migrations, migrate
from quant.errors import InputError, StorageError

Change = tuple[Executable, Sequence[Mapping[str, Any]]]
"""A statement, and the rows that it is executed with."""
DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}
BUSY_S = 30
"""SQLite has one writer at a time; another one waits so long."""
POOL = {"pool_size": 16, "max_overflow": 24}
"""Connections that are kept, and more for a while: a server answers in up to 40 threads."""
PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON")
"""Readers beside a writer, every commit on disk."""
ATTEMPTS = 5
"""Of a statement whose connection is lost: a server may be started anew."""


def is_lost(error: Exception) -> bool:
    """Whether it was the connection that failed. What we write may be written again."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


# Ctrl-C while a connection is given back is raised all the same, and is no fault of the pool's.
logging.getLogger("sqlalchemy.pool.impl.QueuePool").addFilter(
    lambda record: not record.exc_info or record.exc_info[0] is not KeyboardInterrupt
)
RETRY = stamina.retry(on=is_lost, attempts=ATTEMPTS)


class Database:
    """Statements on one database. Safe for several threads and processes at once."""

    def __init__(self, url: str, *more: Migrations) -> None:
        """`sqlite:///FILE` or `postgresql://USER@HOST/NAME`; tables are made where there are none.

        Those of searches always are; `more` are of who keeps something beside them.

        Raises InputError for what is no such thing, StorageError where it cannot be reached.
        """
        self._url = parse_url(url)
        self._engine = make_engine(self._url)
        try:
            with self._explained(), self._engine.begin() as connection:
                for migrations in (OURS, *more):
                    migrate(connection, migrations)
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        """For people: the URL without its password; of SQLite the file."""
        return str(self._url.database if self._is_sqlite else self._url._replace(password=None))

    def write(self, *changes: Change) -> None:
        """All changes or none. Raises StorageError."""
        with self._explained():
            self._write(changes)

    def change(self, statement: Executable) -> Sequence[Row[Any]]:
        """The rows that a change returns, which is on disk by then. Raises StorageError.

        It is made again where the connection is lost before the answer.
        """
        with self._explained():
            return self._change(statement)

    def read(self, statement: Executable) -> Sequence[Row[Any]]:
        """The rows of a selection. Raises StorageError."""
        with self._explained():
            return self._read(statement)

    def insertion(self, table: Table) -> Executable:
        """Inserts rows, and leaves those alone that are there."""
        if self._is_sqlite:
            return sqlite.insert(table).on_conflict_do_nothing()
        return postgresql.insert(table).on_conflict_do_nothing()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @property
    def _is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    @RETRY
    def _write(self, changes: Sequence[Change]) -> None:
        with self._engine.begin() as connection:
            for statement, rows in changes:
                connection.execute(statement, list(rows) or None)

    @RETRY
    def _change(self, statement: Executable) -> Sequence[Row[Any]]:
        with self._engine.begin() as connection:
            return connection.execute(statement).all()

    @RETRY
    def _read(self, statement: Executable) -> Sequence[Row[Any]]:
        with self._engine.connect().execution_options(reads=True) as connection:
            return connection.execute(statement).all()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise explain(error, self.name) from None


def make_engine(url: URL) -> Engine:
    """Connections to a database. Raises InputError where the package for it is missing."""
    to_text = partial(json.dumps, allow_nan=False)
    if url.get_backend_name() == "postgresql":
        try:
            return create_engine(url, json_serializer=to_text, pool_pre_ping=True, **POOL)
        except ModuleNotFoundError:
            raise InputError(
                "PostgreSQL needs psycopg: install it by pip install 'haq[postgresql]'"
            ) from None
    engine = create_engine(url, json_serializer=to_text, connect_args={"timeout": BUSY_S}, **POOL)
    event.listen(engine, "connect", prepare_sqlite)
    event.listen(engine, "begin", begin_sqlite)
    return engine


def parse_url(url: str) -> URL:
    """An address with the driver that we use. Raises InputError."""
    try:
        found = make_url(url)
    except ArgumentError:
        raise unusable() from None
    kind = found.get_backend_name()
    if kind not in DRIVERS or not found.database:
        raise unusable()
    if kind == "sqlite" and not Path(found.database).absolute().parent.is_dir():
        raise InputError(f"the folder of the store {found.database} does not exist: make it")
    return found.set(drivername=DRIVERS[kind])


def without_password(url: str) -> str:
    """An address that may be written down. Raises InputError."""
    return str(parse_url(url)._replace(password=None))


def unusable() -> InputError:
    """For an address, which is not repeated since it may hold a password."""
    return InputError("a store is given as sqlite:///FILE or postgresql://USER@HOST/NAME")


def prepare_sqlite(connection: Any, _: Any) -> None:
    """Set it up, and leave it to us to begin transactions."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def begin_sqlite(connection: Connection) -> None:
    """A writer takes its turn at once: one that reads first could not wait for it later.

    What only reads is one statement, which needs no transaction.
    """
    if not connection.get_execution_options().get("reads", False):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def explain(error: DBAPIError, name: str) -> InputError | StorageError:
    """An error of a database as one of ours."""
    text = str(error.orig).strip().splitlines()[0]
    if "disk is full" in text or "No space left" in text:
        return StorageError(f"no space left on the disk for {name}: make room")
    if "not a database" in text or "malformed" in text:
        return InputError(f"{name} is damaged: remove the run folder or restore it")
    if isinstance(error, OperationalError):
        return StorageError(f"the store {name} cannot be used: {text}")
    return StorageError(f"the store {name} refused what was written: {text}")
