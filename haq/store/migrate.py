"""Tables brought to the version of this haq.

Alembic is loaded where there is something to bring: that takes longer than to open a store.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, String, column, inspect, select, table, text

from quant.errors import InputError

if TYPE_CHECKING:
    from alembic.config import Config

LOCK = 20_260_418
"""Any number: of two processes that find an old PostgreSQL store, one waits for the other here."""


@dataclass(frozen=True)
class Migrations:
    """A folder of alembic's, and the table in which it notes how far the tables have come."""

    folder: Path
    version_table: str

    @property
    def newest(self) -> str:
        """The revision that begins the name of the last file."""
        files = (self.folder / "versions").glob("[0-9]*.py")
        return max(file.name.partition("_")[0] for file in files)


OURS = Migrations(Path(__file__).with_name("migrations"), "alembic_version")
"""Those of the tables of searches."""


def migrate(connection: Connection, migrations: Migrations = OURS) -> None:
    """Within a transaction, make or change tables as need be.

    Raises InputError where they are of a newer version.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    current = version_of(connection, migrations)
    if current != migrations.newest:
        upgrade(connection, migrations, current)


def version_of(connection: Connection, migrations: Migrations) -> str | None:
    """How far the tables have come; None where there are none."""
    if not inspect(connection).has_table(migrations.version_table):
        return None
    noted = select(column("version_num", String)).select_from(table(migrations.version_table))
    return connection.scalars(noted).first()


def upgrade(connection: Connection, migrations: Migrations, current: str | None) -> None:
    """Bring the tables to the newest version. Raises InputError where it is not known."""
    from alembic import command
    from alembic.util import CommandError

    try:
        command.upgrade(make_config(connection, migrations), "head")
    except CommandError:
        raise InputError(
            f"the store has tables of another version of haq ({current}): use the newest one"
        ) from None


def make_config(connection: Connection, migrations: Migrations = OURS) -> Config:
    """Where the migrations are, and what they run on."""
    from alembic.config import Config

    given = {"connection": connection, "version_table": migrations.version_table}
    config = Config(attributes=given)
    config.set_main_option("script_location", str(migrations.folder))
    return config
