from __future__ import annotations

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect

from haq.store import open_store
from haq.store.migrate import make_config, migrate
from haq.store.schema import METADATA


def test_migrations_make_the_tables_of_the_schema(store_url: str) -> None:
    with open_store(store_url):
        pass
    with create_engine(store_url).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_migrations_lead_back_and_forth(store_url: str) -> None:
    engine = create_engine(store_url)
    with engine.begin() as connection:
        migrate(connection)
        migrate(connection)
        command.downgrade(make_config(connection), "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
        migrate(connection)
        assert set(METADATA.tables) < set(inspect(connection).get_table_names())
    engine.dispose()
