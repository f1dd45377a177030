"""The parts of the page of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from markupsafe import Markup

from api.jobs import Job
from api.pages.bits import LayerBits, bits_chart, bits_of
from api.pages.charts.curve import divergence_curve, reward_curve
from api.routes.trials import passes, sorter
from api.service import Service
from haq.store.trials import read_trials

ON_A_PAGE = 25
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Curves:
    """Reward and divergence over the episodes; `steps` are the episodes that were better."""

    reward: Markup
    divergence: Markup
    steps: Sequence[Record]


@dataclass(frozen=True)
class Best:
    """The best policy so far, or the one that was found."""

    title: str
    layers: Sequence[LayerBits]

    @property
    def chart(self) -> Markup:
        """As a drawing."""
        return bits_chart(self.layers, self.title)


@dataclass(frozen=True)
class Table:
    """A page of trials; `all` are the trials without filters, `passing` those within."""

    trials: Sequence[Record]
    all: int
    passing: int
    offset: int
    sort: str
    descending: bool
    origin: str | None
    max_kl: float | None

    @property
    def behind(self) -> int | None:
        """Where the next page begins."""
        following = self.offset + ON_A_PAGE
        return following if following < self.passing else None

    @property
    def before(self) -> int | None:
        """Where the page before begins."""
        return max(0, self.offset - ON_A_PAGE) if self.offset else None


def curves(trials: Sequence[Record], episodes: int) -> Curves:
    """Of the trials so far."""
    rewards = [(t["episode"], t["reward"]) for t in trials if t["reward"] is not None]
    kls = [(t["episode"], t["kl"]) for t in trials]
    return Curves(reward_curve(rewards, episodes), divergence_curve(kls, episodes), steps(trials))


def steps(trials: Sequence[Record]) -> list[Record]:
    """Trials with a lower divergence than all before."""
    best = list(accumulate((trial["kl"] for trial in trials), min))
    return [t for n, t in enumerate(trials) if n == 0 or best[n] < best[n - 1]]


def best_policy(
    service: Service, job: Job, trials: Sequence[Record], summary: Record | None
) -> Best | None:
    """What was found, else the trial of the least divergence, if there is any yet."""
    if summary is not None:
        found = summary["best"]["policy"]
        title = "Bits of every layer of the policy found"
        return Best(title, bits_of(service, job, found))
    if not trials:
        return None
    episode = min(trials, key=lambda trial: trial["kl"])["episode"]
    (record,) = read_trials(service.database, job.id, episode - 1, 1)
    title = f"Bits of every layer of trial {episode}, the best so far"
    return Best(title, bits_of(service, job, record["policy"]))


def table(
    trials: Sequence[Record],
    origin: str | None,
    max_kl: float | None,
    sort: str,
    descending: bool,
    offset: int,
) -> Table:
    """Those that pass the filters, sorted, a page of them."""
    passing = [trial for trial in trials if passes(trial, origin, max_kl, None)]
    passing.sort(key=sorter(sort, descending))
    some = passing[offset : offset + ON_A_PAGE]
    given = sort, descending, origin, max_kl
    return Table(some, len(trials), len(passing), offset, *given)
