"""A policy that was tried, with all that is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.errors import UnknownError
from api.jobs import Job
from api.judge import Judge, judge_of
from api.pages.bits import LayerBits, bits_of
from api.pages.fronts import cost_kind
from api.service import Service
from haq.store import Store
from haq.store.trials import read_trials
from quant.policy import Policy

PURPOSES = ("final", "search")
"""What a latency was measured for; the final ranking measures longest."""


@dataclass(frozen=True)
class Tried:
    """A trial: its record, its layers, and the latency as measured, with its interval, if it was.

    `cost_kind` is what its cost counts.
    """

    job: Job
    record: Mapping[str, Any]
    layers: Sequence[LayerBits]
    latency: Mapping[str, Any] | None

    @property
    def mark(self) -> str:
        """As addresses name it."""
        return f"{self.job.id}:{self.record['episode']}"

    @property
    def name(self) -> str:
        """As people read it."""
        return f"{self.job.id[:8]} trial {self.record['episode']}"

    @property
    def judge(self) -> Judge:
        """What says how good it is."""
        return judge_of([self.record])

    @property
    def cost_kind(self) -> str:
        """What the cost of its record counts."""
        return cost_kind(self.job.spec["spec"]["budgets"])


def find_policy(service: Service, search_id: str, episode: int) -> Tried:
    """Raises UnknownError."""
    job = service.jobs.get(search_id)
    found = read_trials(service.database, job.id, episode - 1, 1)
    if not found or found[0]["episode"] != episode:
        raise UnknownError(f"the search has no trial {episode} yet")
    layers = bits_of(service, job, found[0]["policy"])
    return Tried(job, found[0], layers, latency_of(service, job, found[0]["policy"]))


def latency_of(service: Service, job: Job, policy: Any) -> Mapping[str, Any] | None:
    """What a board said of a policy in a search; None where it was not asked."""
    known, key = Store(service.database).measurements(job.id), Policy.from_json(policy).key()
    answers = (known.get(f"latency/{purpose}", [key]).get(key) for purpose in PURPOSES)
    return next((answer for answer in answers if answer is not None), None)
