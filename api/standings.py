"""How many trials searches have and how good the best is, without reading any trial twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from haq.store.database import Database
from haq.store.trials import count_trials, least_kl


@dataclass(frozen=True)
class Standing:
    """Trials so far, and the least divergence among them."""

    trials: int = 0
    best_kl: float | None = None


class Standings:
    """Trials are only ever added, so what is known stays true of those that it is known of."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, Standing] = {}

    def of(self, job_ids: Sequence[str]) -> list[Standing]:
        """Of each search, in order. Raises StorageError."""
        counts = count_trials(self._database, job_ids)
        return [self._up_to(job_id, counts.get(job_id, 0)) for job_id in job_ids]

    def _up_to(self, job_id: str, count: int) -> Standing:
        known = self._known.get(job_id, Standing())
        # Fewer than known: the search was forgotten since its budget is out of reach.
        if count < known.trials:
            known = Standing()
        if count > known.trials:
            new = least_kl(self._database, job_id, known.trials)
            kls = [kl for kl in (known.best_kl, new) if kl is not None]
            known = Standing(count, min(kls, default=None))
        self._known[job_id] = known
        return known
