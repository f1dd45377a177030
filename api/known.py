"""Trials without their policies, read from the store once: they may be asked for every second."""

from __future__ import annotations

from typing import Any

from haq.store.database import Database
from haq.store.trials import last_trial, read_trials

MOST = 64
"""Searches that are kept; those looked at longest ago are forgotten first."""
Record = dict[str, Any]


class KnownTrials:
    """Trials are only ever added, so what was read stays true."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, list[Record]] = {}

    def of(self, job_id: str) -> list[Record]:
        """All of a search, in order. Raises StorageError."""
        known = self._known.pop(job_id, [])
        # Fewer than known: the search was forgotten since its budget is out of reach.
        if last_trial(self._database, job_id) < len(known):
            known = []
        while records := read_trials(self._database, job_id, len(known)):
            known = known + [slim(record) for record in records]
        self._known[job_id] = known
        for oldest in list(self._known)[:-MOST]:
            self._known.pop(oldest, None)
        return known


def slim(record: Record) -> Record:
    """A trial without its policy."""
    return {name: value for name, value in record.items() if name != "policy"}
