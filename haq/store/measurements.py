"""What boards measured in runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from haq.store.database import Database
from haq.store.schema import MEASUREMENTS

Record = dict[str, Any]


def latencies_of_runs(
    database: Database, run_ids: Sequence[str], limit: int = 1000
) -> list[Record]:
    """At most `limit` latencies, those measured last first.

    A record holds the fields of `haq.board.Latency`. Raises StorageError.
    """
    columns = MEASUREMENTS.columns
    rows = database.read(
        select(columns.data)
        .where(columns.run_id.in_(run_ids), columns.kind.like("latency/%"))
        .order_by(columns.data["measured_at"].as_string().desc(), columns.run_id, columns.key)
        .limit(limit)
    )
    return [row.data for row in rows]
