"""The tables of a store; `migrations` makes them and changes those of older versions."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    func,
)

METADATA = MetaData()


def of_run() -> Column[str]:
    """The run that a row is of."""
    key = ForeignKey("runs.id", ondelete="CASCADE")
    return Column("run_id", String(32), key, primary_key=True)


def entries(name: str, owner: Column[str]) -> Table:
    """A table of what is known by owner, kind and key."""
    return Table(
        name,
        METADATA,
        owner,
        Column("kind", String(40), primary_key=True),
        Column("key", String(160), primary_key=True),
        Column("data", JSON, nullable=False),
    )


RUNS = Table(
    "runs",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("settings", JSON, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
TRIALS = Table(
    "trials",
    METADATA,
    of_run(),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("data", JSON, nullable=False),
)
EVALUATIONS = entries("evaluations", Column("content", String(64), primary_key=True))
"""`content` is the digest of all that decides a score but the policy, which is in the key."""
MEASUREMENTS = entries("measurements", of_run())
CHECKPOINTS = Table(
    "checkpoints",
    METADATA,
    of_run(),
    Column("episodes", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)
"""What a searcher knew after so many episodes."""
