"""The tables of the service; `migrations` makes them and changes those of older versions.

Times are seconds since 1970.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

METADATA = MetaData()

JOBS = Table(
    "jobs",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("spec", JSON, nullable=False),
    Column("state", String(12), nullable=False),
    Column("wanted", String(12), nullable=False),
    Column("version", Integer, nullable=False),
    Column("token", Integer, nullable=False),
    Column("owner", String(80)),
    Column("lease_until", Float),
    Column("progress", JSON, nullable=False),
    Column("history", JSON, nullable=False),
    Column("error", Text),
    Column("created_by", String(64), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("finished_at", Float),
    Index("jobs_by_state", "state", "created_at"),
)
"""A search that somebody asked for; it is the run of the same id among `runs`."""

KEYS = Table(
    "keys",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("role", String(8), nullable=False),
    Column("per_minute", Integer),
    Column("max_searches", Integer),
    Column("created_at", Float, nullable=False),
    Column("revoked_at", Float),
)
"""SHA-256 of keys, never the keys."""

AUDIT = Table(
    "audit",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("key_name", String(64), nullable=False),
    Column("action", String(40), nullable=False),
    Column("target", String(200), nullable=False),
    Column("status", Integer, nullable=False),
)
"""Who changed what."""

ANSWERS = Table(
    "answers",
    METADATA,
    Column("key_name", String(64), primary_key=True),
    Column("idempotency_key", String(200), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("status", Integer),
    Column("body", JSON),
    Column("at", Float, nullable=False),
    Column("location", Text),
)
"""What a POST with an idempotency key was answered; no status while it is on its way.

`location` is where to find what it made.
"""

MODELS = Table(
    "models",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("name", String(80), nullable=False, unique=True),
    Column("architecture", String(40), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("input_size", Integer, nullable=False),
    Column("padding", String(8), nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("created_at", Float, nullable=False),
)
DATASETS = Table(
    "datasets",
    METADATA,
    Column("name", String(80), primary_key=True),
    Column("path", Text, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("created_at", Float, nullable=False),
)
