"""What was tried in a search, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from haq.client._base import Part, path_of
from haq.client.answers import Pareto, Trial, read_pareto, read_trial, read_trials

PAGE = 200
Sort = Literal["episode", "kl", "top1", "cost", "reward", "latency_ratio"]


class Trials(Part):
    """The client's methods about them."""

    def trials(
        self,
        search_id: str,
        *,
        sort: Sort = "episode",
        descending: bool = False,
        origin: str | None = None,
        max_kl: float | None = None,
        max_cost: float | None = None,
        policies: bool = False,
    ) -> Iterator[Trial]:
        """Those within all limits that are given, sorted; asked for page by page.

        `policies` says to give the policy of each.
        """
        chosen = {
            **{"sort": sort, "descending": descending, "origin": origin, "limit": PAGE},
            **{"max_kl": max_kl, "max_cost": max_cost, "policies": policies},
        }
        path, offset = path_of("searches", search_id, "trials"), 0
        while True:
            page = self._connection.get(path, read_trials, {**chosen, "offset": offset})
            yield from page.trials
            if page.next is None:
                return
            offset = page.next

    def trial(self, search_id: str, episode: int) -> Trial:
        """One of them, with its policy."""
        return self._connection.get(path_of("searches", search_id, "trials", episode), read_trial)

    def pareto(self, search_id: str) -> Pareto:
        """The front of divergence against cost, and what it is held against."""
        return self._connection.get(path_of("searches", search_id, "pareto"), read_pareto)
