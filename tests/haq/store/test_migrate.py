from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect

from api.store.open import SERVICE
from haq.store import open_store
from haq.store.migrate import OURS, Migrations, make_config, migrate
from haq.store.schema import METADATA

OPENING = """
import sys
from haq.store import open_store
with open_store(sys.argv[1]):
    print("alembic" in sys.modules)
"""
ROOT = Path(__file__).parents[3]


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


@pytest.mark.parametrize("migrations", [OURS, SERVICE])
def test_the_newest_version_is_the_last_revision(migrations: Migrations, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'store.sqlite'}")
    with engine.begin() as connection:
        scripts = ScriptDirectory.from_config(make_config(connection, migrations))
        assert migrations.newest == scripts.get_current_head()
    engine.dispose()


def test_a_store_of_this_version_is_opened_without_alembic(store_url: str) -> None:
    with open_store(store_url):
        pass
    done = subprocess.run(
        [sys.executable, "-c", OPENING, store_url], capture_output=True, text=True, cwd=ROOT
    )
    assert (done.stdout.strip(), done.stderr) == ("False", "")
