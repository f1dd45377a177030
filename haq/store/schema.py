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


def of_run(primary_key: bool = True) -> Column[str]:
    """The run that a row is of."""
    return Column(
        "run_id", String(32), ForeignKey("runs.id", ondelete="CASCADE"), primary_key=primary_key
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
EVALUATIONS = Table(
    "evaluations",
    METADATA,
    Column("content", String(64), primary_key=True),
    Column("kind", String(40), primary_key=True),
    Column("key", String(160), primary_key=True),
    Column("data", JSON, nullable=False),
)
"""`content` is the digest of all that decides a score but the policy, which is in the key."""
MEASUREMENTS = Table(
    "measurements",
    METADATA,
    of_run(),
    Column("kind", String(40), primary_key=True),
    Column("key", String(160), primary_key=True),
    Column("data", JSON, nullable=False),
)
CHECKPOINTS = Table(
    "checkpoints",
    METADATA,
    of_run(),
    Column("episodes", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)
"""What a searcher knew after so many episodes."""
