from __future__ import annotations

import time

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, text

from api.idempotency import Answer, Answers
from api.store import open_database
from api.store.open import SERVICE
from api.store.schema import ANSWERS, JOBS, METADATA
from haq.store.migrate import OURS, make_config, migrate
from haq.store.schema import METADATA as OF_SEARCHES
from quant.errors import InputError
from tests.api.databases import database_at

ROW = {
    "id": "1" * 32,
    "spec": {"a": [1]},
    "state": "queued",
    "wanted": "run",
    "version": 3,
    "token": 1,
    "progress": {},
    "history": [{"state": "queued", "at": 1.5, "note": "ä"}],
    "created_by": "anna",
    "created_at": 1.5,
}


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def test_migrations_make_the_tables_of_the_schema(store_url: str) -> None:
    with database_at(store_url):
        pass
    theirs = {*OF_SEARCHES.tables, OURS.version_table}
    with create_engine(store_url).connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table": SERVICE.version_table,
                "compare_type": True,
                "include_name": lambda name, kind, _: kind != "table" or name not in theirs,
            },
        )
        assert compare_metadata(context, METADATA) == []


def test_they_lead_back_and_forth_and_leave_searches_alone(store_url: str) -> None:
    engine = create_engine(store_url)
    with engine.begin() as connection:
        for migrations in (OURS, SERVICE, SERVICE):
            migrate(connection, migrations)
        command.downgrade(make_config(connection, SERVICE), "base")
        found = tables(connection)
        assert found == {*OF_SEARCHES.tables, OURS.version_table, SERVICE.version_table}
        migrate(connection, SERVICE)
        assert set(METADATA.tables) < tables(connection)
    engine.dispose()


def test_rows_of_every_version_are_kept(store_url: str) -> None:
    """From the first version up to the newest, and back."""
    engine = create_engine(store_url)
    with engine.begin() as connection:
        config = make_config(connection, SERVICE)
        revisions = [r.revision for r in ScriptDirectory.from_config(config).walk_revisions()]
        first, newest = revisions[-1], revisions[0]
        command.upgrade(config, first)
        connection.execute(JOBS.insert(), [ROW])
        for revision in (newest, first, newest):
            step = command.upgrade if revision == newest else command.downgrade
            step(config, revision)
            (row,) = connection.execute(JOBS.select()).all()
            assert {name: getattr(row, name) for name in ROW} == ROW
    engine.dispose()


def test_an_answer_of_the_first_version_is_still_given(store_url: str) -> None:
    engine = create_engine(store_url)
    row = {"key_name": "anna", "idempotency_key": "k", "fingerprint": "f", "at": time.time()}
    with engine.begin() as connection:
        command.upgrade(make_config(connection, SERVICE), "0001")
        connection.execute(ANSWERS.insert(), [{**row, "status": 201, "body": {"id": "1"}}])
    engine.dispose()
    with database_at(store_url) as database:
        assert Answers(database).begin("anna", "k", "f") == Answer(201, {"id": "1"}, None)


def test_a_newer_store_is_not_touched(store_url: str) -> None:
    with database_at(store_url):
        pass
    engine = create_engine(store_url)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {SERVICE.version_table} SET version_num = '9999'"))
    with pytest.raises(InputError, match="9999"):
        open_database(store_url)
    engine.dispose()


def test_a_store_of_searches_alone_gets_the_tables(store_url: str) -> None:
    engine = create_engine(store_url)
    with engine.begin() as connection:
        migrate(connection)
    with database_at(store_url) as database:
        assert database.read(JOBS.select()) == []
    engine.dispose()
