"""Tables brought to the version of this haq."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from quant.errors import InputError

LOCK = 20_260_418
"""Any number: of two processes that find an old PostgreSQL store, one waits for the other here."""


@dataclass(frozen=True)
class Migrations:
    """A folder of alembic's, and the table in which it notes how far the tables have come."""

    folder: Path
    version_table: str


OURS = Migrations(Path(__file__).with_name("migrations"), "alembic_version")
"""Those of the tables of searches."""


def migrate(connection: Connection, migrations: Migrations = OURS) -> None:
    """Within a transaction, make or change tables as need be.

    Raises InputError where they are of a newer version.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    config = make_config(connection, migrations)
    options = {"version_table": migrations.version_table}
    current = MigrationContext.configure(connection, opts=options).get_current_revision()
    if current == ScriptDirectory.from_config(config).get_current_head():
        return
    try:
        command.upgrade(config, "head")
    except CommandError:
        raise InputError(
            f"the store has tables of another version of haq ({current}): use the newest one"
        ) from None


def make_config(connection: Connection, migrations: Migrations = OURS) -> Config:
    """Where the migrations are, and what they run on."""
    given = {"connection": connection, "version_table": migrations.version_table}
    config = Config(attributes=given)
    config.set_main_option("script_location", str(migrations.folder))
    return config
