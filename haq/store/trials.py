"""The trials of a run, in their order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select

from haq.store.database import Database
from haq.store.schema import TRIALS
from quant.errors import InputError

Record = dict[str, Any]


def read_trials(database: Database, run_id: str, after: int = 0, limit: int = 1000) -> list[Record]:
    """At most `limit` records of a run behind that of number `after`, in their order.

    Raises StorageError.
    """
    columns = TRIALS.columns
    rows = database.read(
        select(columns.data)
        .where(columns.run_id == run_id, columns.number > after)
        .order_by(columns.number)
        .limit(limit)
    )
    return [row.data for row in rows]


def pick_trials(database: Database, run_id: str, numbers: Sequence[int]) -> dict[int, Record]:
    """The records of a run that have these numbers. Raises StorageError."""
    if not numbers:
        return {}
    columns = TRIALS.columns
    rows = database.read(
        select(columns.number, columns.data).where(
            columns.run_id == run_id, columns.number.in_(numbers)
        )
    )
    return {row.number: row.data for row in rows}


def count_trials(database: Database, run_ids: Sequence[str]) -> dict[str, int]:
    """How many trials runs have, those with any. Raises StorageError."""
    columns = TRIALS.columns
    rows = database.read(
        select(columns.run_id, func.count().label("trials"))
        .where(columns.run_id.in_(run_ids))
        .group_by(columns.run_id)
    )
    return {row.run_id: row.trials for row in rows}


def last_trial(database: Database, run_id: str) -> int:
    """The number of a run's newest trial, which is how many there are. Raises StorageError."""
    columns = TRIALS.columns
    (row,) = database.read(select(func.max(columns.number)).where(columns.run_id == run_id))
    return int(row[0] or 0)


def least_kl(database: Database, run_id: str, after: int = 0) -> float | None:
    """The least divergence among the trials of a run behind that of number `after`.

    None where there is none. Raises StorageError.
    """
    columns = TRIALS.columns
    (row,) = database.read(
        select(func.min(columns.data["kl"].as_float())).where(
            columns.run_id == run_id, columns.number > after
        )
    )
    found: float | None = row[0]
    return found


class Trials:
    """Records by number, from 1 and without gaps."""

    def __init__(self, database: Database, run_id: str) -> None:
        self._database, self._run_id = database, run_id
        columns = TRIALS.columns
        rows = database.read(
            select(columns.data).where(columns.run_id == run_id).order_by(columns.number)
        )
        self.records: list[Record] = [row.data for row in rows]

    def put(self, number: int, record: Mapping[str, Any]) -> None:
        """Add the record of this number, or see that it is there already.

        Raises InputError where another one is there, StorageError.
        """
        if number > len(self.records):
            row = {"run_id": self._run_id, "number": number, "data": record}
            self._database.write((TRIALS.insert(), [row]))
            self.records.append(dict(record))
        elif self.records[number - 1] != json.loads(json.dumps(record)):
            raise InputError(
                f"trial {number} in {self._database.name} comes out otherwise now: go on with the "
                "versions of haq and its libraries, and on the kind of machine, with which it was "
                "begun"
            )
