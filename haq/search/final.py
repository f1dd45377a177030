"""The final ranking: the best policies of a search, measured together beside the uniform ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from haq.board import Latency
from haq.progress import chunks
from haq.search.loop import Outcome
from haq.search.memory import Meter
from haq.search.target import Target
from quant.errors import BudgetError
from quant.policy import Policy

FINALISTS = 6
SLACK = 1.02
"""Finalists may have been predicted or measured a little over the bound: noise is of this size."""


@dataclass(frozen=True)
class Winner:
    """The outcome with the least KL that keeps the bound, and its final latency if measurable."""

    outcome: Outcome
    latency: Latency | None


def choose_simulated(outcomes: Iterable[Outcome], target: Target) -> Winner:
    """The least KL among outcomes whose exact cost keeps the bound."""
    within = [outcome for outcome in outcomes if outcome.cost <= target.bound]
    return Winner(min(within, key=lambda outcome: outcome.score.kl), None)


def choose_measured(
    outcomes: Iterable[Outcome], target: Target, meter: Meter, beside: Sequence[Policy]
) -> Winner:
    """The least KL whose latency, measured anew together with `beside`, keeps the bound.

    Other budgets are exact, so there every outcome within the bound stays, and the latency is only
    measured. Raises BudgetError if no finalist keeps the bound.
    """
    for some in chunks(list(ranked(outcomes, target)), FINALISTS):
        latencies = meter.measure([*(o.policy for o in some), *beside], "final")
        pairs = list(zip(some, latencies, strict=False))
        fitting = [(o, t) for o, t in pairs if target.kind != "latency" or t.ratio <= target.bound]
        if fitting:
            return Winner(*min(fitting, key=lambda pair: pair[0].score.kl))
    raise BudgetError(
        f"no policy of the search kept {target.bound:.3f}x when measured again: "
        "allow more latency or more episodes"
    )


def ranked(outcomes: Iterable[Outcome], target: Target) -> Iterator[Outcome]:
    """Distinct outcomes near or below the bound, least KL first."""
    seen: set[str] = set()
    for outcome in sorted(outcomes, key=lambda outcome: outcome.score.kl):
        key = outcome.policy.key()
        if key not in seen and reached(outcome, target) <= target.bound * slack(target):
            seen.add(key)
            yield outcome


def reached(outcome: Outcome, target: Target) -> float:
    """The cost that counts: the measured ratio for latency, else what the model says."""
    measured = target.kind == "latency" and outcome.latency is not None
    return outcome.latency.ratio if measured and outcome.latency else outcome.cost


def slack(target: Target) -> float:
    """Only measurements deserve slack."""
    return SLACK if target.kind == "latency" else 1.0
